"""Whole templates in the shape of model families, and conversations for them. Data for chat_templates.py."""
TEMPLATES = {}
CONVERSATIONS = {}
VARIABLES = {}
