"""AG-UI 1: https://docs.ag-ui.com."""
