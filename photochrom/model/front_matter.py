"""The YAML at the start of a dataset's or a model's card, from which hubs take licence, tags and size.

Values are JSON, which is YAML 1.2 as well: no text can end its own line. Source of the names: Hugging Face, dataset and
model cards.
"""

import json
import re
from typing import Any

# Licences that hubs know by these names.
_KNOWN = re.compile(
    r"cc0-1\.0|cc-by(?:-nc)?(?:-sa|-nd)?-(?:2\.0|2\.5|3\.0|4\.0)|apache-2\.0|mit|odbl|pddl|gpl-3\.0|unlicense"
)
_CREATIVE_COMMONS = re.compile(r"https?://creativecommons\.org/(?:licenses/([a-z-]+)|publicdomain/zero)/(\d\.\d)/?.*")
_URL = re.compile(r"https?://[\w./~%+:@#?=&-]+", re.ASCII)


def encode(values: dict[str, Any]) -> str:
    """Returns the front matter of a Markdown file."""
    lines = (f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())
    return "\n".join(["---", *lines, "---", ""])


def licence(text: str) -> dict[str, str]:
    """Returns the entries about a licence, which is a name, a URL, any other text, or "" for an unknown one."""
    found = _CREATIVE_COMMONS.fullmatch(text)
    name = (f"cc-{found[1]}-{found[2]}" if found[1] else f"cc0-{found[2]}") if found else text.lower()
    if _KNOWN.fullmatch(name):
        return {"license": name}
    if not text:
        return {"license": "unknown"}
    return {"license": "other", "license_name": text, **({"license_link": text} if is_url(text) else {})}


def is_url(text: str) -> bool:
    """Whether a text is a URL without characters that Markdown could take for markup."""
    return bool(_URL.fullmatch(text))


def escaped(text: str) -> str:
    """Returns text for the body of a card: all characters that may be markup are references to characters."""
    return "".join(one if one.isalnum() or one in " /.,-" else f"&#{ord(one)};" for one in text)


def linked(text: str) -> str:
    """Returns text for the body of a card, a link if it is a URL."""
    return f"<{text}>" if is_url(text) else escaped(text)
