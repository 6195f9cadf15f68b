"""Slack: where requests are sent, messages, and who is who in the workspace.

Destinations are plain values. Everything else is asked of Sym Flows, which holds
Slack's token: handlers never see it.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, Union

from sym.sdk.exceptions import SlackError
from sym.sdk.integrations import _lookup
from sym.sdk.request_destination import (
    RequestDestination,
    RequestDestinationFallback,
    SlackChannelID,
    SlackChannelName,
    SlackUser,
    SlackUserGroup,
    to_wire,
)
from sym.sdk.user import User

_CHANNEL_ID = re.compile(r"[CDG][A-Z0-9]+")  # names have no capitals
_USER_ID = re.compile(r"[UW][A-Z0-9]+")
_MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")

# What means something in Slack's markup, with what looks like it and means nothing:
# as internal/slackapp/limits.go has it. Clients look for mentions and links by
# themselves, which the word joiner keeps them from.
_ESCAPED = {
    "&": "&amp;", "<": "&lt;", ">": "&gt;",
    "*": "\u2217", "`": "\u02cb", "~": "\u223c",
    "@": "@\u2060", "://": ":\u2060//",
}
_MARKUP = re.compile("|".join(map(re.escape, _ESCAPED)))

# Underscores that could begin or end italics: not those inside of a word.
_ITALICS = re.compile("(?<![0-9A-Za-z])_|_(?![0-9A-Za-z])")

# Characters that nobody sees, or that turn the direction of what follows. They split
# what is looked for, and clients may drop them.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180e\u200b\u200e-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)

# Joiners belong into words of other scripts, and into emoji.
_JOINERS = re.compile("(^|[\x00-\x7f])[\u200c\u200d]+")


def user(identifier: Union[str, User], allow_self: bool = False, timeout: int | None = None) -> SlackUser:
    """A person in Slack, as destination.

    Args:
        identifier: Slack's id ("U012AB3CD"), an e-mail address, a mention ("@alice",
            "<@U012AB3CD>") or a User. Only "@alice" is looked up in Slack at once.
        allow_self: whether requesters may decide their own requests here, with
            get_approvers; with get_permissions, allow_self_approval says so.
        timeout: seconds until the request moves on or expires, with get_approvers.
            None: never.

    Raises:
        SlackError: identifier names no person, or timeout is no number of seconds.

    Example:
        return slack.user("lead@example.com", timeout=600)
    """
    return SlackUser(_person(identifier), allow_self=allow_self, timeout=timeout)


def mention(identifier: Union[str, User]) -> str:
    """A text that mentions a person in a message, such as "<@U012AB3CD>".

    Args:
        identifier: as of user. Slack is asked for what has no id of Slack's.

    Raises:
        SlackError: Slack knows nobody like that, or can't be asked.

    Example:
        slack.send_message(slack.channel("#ops"), f"{slack.mention(event.user)} has access now.")
    """
    person = _person(identifier)
    if not _USER_ID.fullmatch(person):
        person = _ask("slack_user_info", user=person).get("id") or ""
        if not _USER_ID.fullmatch(person):
            raise SlackError("BAD_ANSWER", f"Slack did not tell the id of {identifier}.", "Use Slack's id.")
    return f"<@{person}>"


def escape(text: object) -> str:
    """Text of people, for a message that a handler sends: nobody is mentioned by it, and
    it makes no link and no formatting. Fields of a request are text of people, and so
    are names, tickets, and what functions read from a database.

    Args:
        text: the text. Other values are turned into one by str(), and None into an empty one.

    Returns:
        The text with its line breaks, as it is to stand in Slack's mrkdwn. Characters
        that can't be seen, or turn the direction of what follows, are left out.

    Example:
        slack.send_message(slack.channel("#ops"), f"Asked for: {slack.escape(event.payload.fields['reason'])}")
    """
    shown = "".join(one for one in ("" if text is None else str(text)) if _is_shown(one))
    shown = _JOINERS.sub(r"\1", _UNSEEN.sub("", shown)).strip()
    escaped = _MARKUP.sub(lambda found: _ESCAPED[found[0]], _ITALICS.sub("\u02cd", shown))
    return re.sub(r"(?m)^(\s*)&gt;", "\\1\u2060&gt;", escaped)  # which would make a quotation of the line


def _is_shown(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")


def channel(name: str, allow_self: bool = False, timeout: int | None = None) -> SlackChannelID | SlackChannelName:
    """A channel in Slack, as destination.

    Args:
        name: the channel's name ("#access") or id ("C012AB3CD").
        allow_self, timeout: as of user.

    Raises:
        SlackError: the name is empty, or timeout is no number of seconds.

    Example:
        return [Notification(destinations=[slack.channel("#access-prod")], timeout=1800)]
    """
    if isinstance(name, str) and _CHANNEL_ID.fullmatch(name.strip()):
        return SlackChannelID(name.strip(), allow_self=allow_self, timeout=timeout)
    return SlackChannelName(name.strip() if isinstance(name, str) else name, allow_self=allow_self, timeout=timeout)


def group(
    users: Sequence[Union[str, User]], allow_self: bool = False, timeout: int | None = None
) -> SlackUserGroup:
    """One conversation with some people in Slack, as destination.

    Args:
        users: one to seven people, each as of user.
        allow_self, timeout: as of user.

    Raises:
        SlackError: the list is empty or too long, or one of them names no person.

    Example:
        return slack.group(pagerduty.users_on_call(schedule_name="Platform"))
    """
    if isinstance(users, (str, User)):
        raise SlackError("INVALID_GROUP", "A group is made of a list.", f"Pass [{users}], or use slack.user.")
    people = [one.user_id if isinstance(one, SlackUser) else _person(one) for one in users]
    return SlackUserGroup(tuple(dict.fromkeys(people)), allow_self=allow_self, timeout=timeout)


def fallback(
    *destinations: RequestDestination,
    continue_on_delivery_failure: bool = True,
    continue_on_timeout: bool = False,
) -> RequestDestinationFallback:
    """Destinations that are tried in turn, for get_approvers.

    Args:
        destinations: two or more of slack.channel, slack.user and slack.group.
        continue_on_delivery_failure: whether the next is tried where the request can't
            be delivered.
        continue_on_timeout: whether the next is tried once a destination's timeout is over.

    Raises:
        SlackError: there are fewer than two, or one is no destination.

    Example:
        return slack.fallback(slack.channel("#on-call", timeout=900), slack.channel("#all"), continue_on_timeout=True)
    """
    return RequestDestinationFallback(
        destinations,
        continue_on_delivery_failure=continue_on_delivery_failure,
        continue_on_timeout=continue_on_timeout,
    )


def send_message(destination: Union[User, RequestDestination], message: str) -> None:
    """Sends a message to a person, a group or a channel.

    Args:
        destination: a User, or what slack.user, slack.channel or slack.group made.
        message: the text, in Slack's mrkdwn. What people wrote goes through escape.

    Raises:
        SlackError: it can't be delivered.

    Example:
        slack.send_message(event.get_actor("request"), "Your access ends soon.")
    """
    _ask("send_message", to=to_wire(destination), text=_text(message))


def send_thread_message(message: str) -> None:
    """Sends a message as a reply to the request's message in Slack.

    Args:
        message: the text, in Slack's mrkdwn. What people wrote goes through escape.

    Raises:
        SlackError: the request has no message in Slack, or it can't be delivered.

    Example:
        slack.send_thread_message(f"The report is ready: {url}")
    """
    _ask("send_thread_message", text=_text(message))


def get_user_info(user: User) -> dict[str, Any]:
    """What Slack knows about a user: the user object of Slack's users.info.

    Raises:
        SlackError: Slack does not know the user, or can't be asked.

    Example:
        title = slack.get_user_info(event.user)["profile"]["title"]
    """
    _lookup.needed("user", user, User)
    return _ask("slack_user_info", user=_person(user))


def list_users(active_only: bool = True) -> list[dict[str, Any]]:
    """Everyone in the workspace, as the user objects of Slack's users.list.

    Args:
        active_only: whether to leave out those who are deactivated.

    Raises:
        SlackError: Slack can't be asked.

    Example:
        bots = [person for person in slack.list_users() if person["is_bot"]]
    """
    return _ask("slack_users", active_only=bool(active_only))


def is_user_in_group(user: User, *, group_id: str) -> bool:
    """Whether a user is a member of a user group of Slack.

    Args:
        user: whom to look for.
        group_id: Slack's id of the user group, such as "S012AB3CD".

    Raises:
        SlackError: there is no such group, or Slack can't be asked.

    Example:
        slack.is_user_in_group(event.user, group_id="S012AB3CD")
    """
    _lookup.needed("user", user, User)
    members = _ask("slack_group_members", group_id=_lookup.needed("group_id", group_id))
    return any(member.id == user.id for member in _lookup.found_users(members))


def users_in_channel(channel: Union[SlackChannelID, SlackChannelName, str]) -> list[User]:
    """The members of a channel, as our users; guests and people of other
    organizations included, bots not.

    Args:
        channel: what slack.channel made, an id, or a name with "#". A private channel
            has to have the app as a member.

    Raises:
        SlackError: there is no such channel, or Slack can't be asked.

    Example:
        approve_deny=user_ids(slack.users_in_channel("#access-approvers"))
    """
    match channel:
        case SlackChannelID():
            name = channel.channel_id
        case SlackChannelName():
            name = channel.channel_name
        case str():
            name = channel.strip()
            if not name.startswith("#") and not _CHANNEL_ID.fullmatch(name):
                raise SlackError("INVALID_CHANNEL", f"{channel!r} is no id of a channel.", f'Write a name as "#{name}".')
        case _:
            raise SlackError("INVALID_CHANNEL", f"{channel!r} is no channel.", 'Pass "#name", an id or slack.channel(…).')
    return _lookup.found_users(_ask("slack_channel_members", channel=name))


def _ask(op: str, **args: Any) -> Any:
    return _lookup.ask(SlackError, op, **args)


def _text(message: str) -> str:
    if not isinstance(message, str) or not message.strip():
        raise SlackError("INVALID_MESSAGE", f"The message is {message!r}.", "Pass a text that is not empty.")
    return message


def _person(identifier: Union[str, User]) -> str:
    """Slack's id or the e-mail address of whom identifier means."""
    if isinstance(identifier, User):
        known = identifier.identity("slack")
        return known.user_id if known else identifier.email
    if not isinstance(identifier, str) or not identifier.strip():
        raise SlackError("INVALID_USER", f"{identifier!r} is no user of Slack.", "Pass an id, an e-mail address or a User.")
    text = identifier.strip()
    if mentioned := _MENTION.fullmatch(text):
        return mentioned[1]
    return _named(text[1:]) if text.startswith("@") else text


def _named(name: str) -> str:
    """Slack's id of the one person with a name."""
    wanted = name.strip().lower()
    found = []
    for person in list_users():
        profile = person.get("profile") or {}
        names = (person.get("name"), person.get("real_name"), profile.get("display_name"), profile.get("real_name"))
        if wanted and wanted in ((each or "").lower() for each in names):
            found.append(person["id"])
    if len(found) != 1:
        who = "Nobody" if not found else f"More than one person ({len(found)})"
        raise SlackError("INVALID_USER", f"{who} in Slack has the name @{name}.", "Use an id or an e-mail address.")
    return found[0]
