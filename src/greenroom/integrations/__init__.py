"""Agent frameworks: what an agent of each does, shown to its user through a run.

One module per framework, and an extra of its name: `greenroom.integrations.pydantic_ai` needs
`pip install 'greenroom[pydantic-ai]'`. `text` needs nothing more; `writing` is for modules of your
own.
"""
