"""Every flag, declared once, a module for each heading of --help; config.py joins them."""
