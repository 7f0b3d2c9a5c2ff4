"""The alert rules of docs/alerts.yml, judged by what a server keeps of its last hour."""
