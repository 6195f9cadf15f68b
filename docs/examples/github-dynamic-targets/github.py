"""Offers the repositories that the organization has just now."""

import json
import urllib.request

from sym.sdk.annotations import prefetch
from sym.sdk.field_option import FieldOption

PAGE = 100


@prefetch(field_name="repo_name")
def repositories(event):
    github = event.flow.environment.integrations["github"]
    address = github.settings.get("api_url") or "https://api.github.com"
    token = github.settings["api_token_secret"].retrieve_value()
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/vnd.github+json",
        "X-GitHub-Api-Version": "2022-11-28",
    }
    names, page = [], 1
    while len(names) == PAGE * (page - 1):  # the pages before were full
        url = f"{address}/orgs/{github.external_id}/repos?per_page={PAGE}&page={page}"
        asked = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(asked, timeout=5) as answer:
            names += [repository["name"] for repository in json.load(answer)]
        page += 1
    return [FieldOption(value=name, label=name[:55]) for name in sorted(names) if len(name) <= 55]
