"""The Hugging Face hub, spoken to through its own client: retries, offline mode, look-ups, downloads, uploads.

`HF_ENDPOINT`, `HF_HOME` and `HF_TOKEN` are honoured by the client itself. Tokens are never read or logged here.
"""
