"""The page to type into: one file, nothing from elsewhere, and a policy that holds it to that."""

import base64
import hashlib
import pathlib
import re


def _hash_of(tag: str) -> str:
    content = re.search(f"<{tag}>(.*?)</{tag}>", HTML, re.S)[1]
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


HTML = pathlib.Path(__file__).with_name("page.html").read_text(encoding="utf-8")
POLICY = (f"default-src 'none'; script-src {_hash_of('script')}; style-src {_hash_of('style')}; "
          "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
          "frame-ancestors 'none'")
