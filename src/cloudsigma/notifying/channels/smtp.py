"""Mail, by SMTP: plain text, whose headers hold no line break."""

from __future__ import annotations

import email.utils
import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP

from cloudsigma.notifying.alert import cut
from cloudsigma.notifying.attempt import Again, Attempt, Refused, Sent
from cloudsigma.notifying.channel import Channel
from cloudsigma.notifying.message import Message

TIMEOUT = 20.0
"""Seconds for an answer."""
_SUBJECT = 200


def mail_of(message: Message, sender: str, receivers: tuple[str, ...]) -> EmailMessage:
    """The mail of a message; its `Message-ID` is the same at every attempt."""
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = sender, ", ".join(receivers)
    mail["Subject"] = cut(message.title, _SUBJECT)
    mail["Date"] = email.utils.localtime()
    mail["Message-ID"] = f"<{message.id}@cloudsigma.invalid>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(cut(line, 500) for line in message.lines) + "\n")
    return mail


def send(channel: Channel, message: Message) -> Attempt:
    """Send a message."""
    options = channel.options
    mail = mail_of(message, str(options["from"]), tuple(options["to"]))
    tls = options.get("tls", "starttls")
    try:
        with _connected(str(options["host"]), int(options.get("port", 465 if tls == "tls" else 587)), tls) as server:
            if tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if user := channel.secret("user"):
                server.login(user, channel.secret("password"))
            server.send_message(mail)
    except smtplib.SMTPResponseException as error:
        reason = f"it answered {error.smtp_code}"
        return Again(reason) if 400 <= error.smtp_code < 500 else Refused(reason)
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        reason = f"it refused the receivers ({', '.join(map(str, codes))})"
        return Again(reason) if all(400 <= code < 500 for code in codes) else Refused(reason)
    except (OSError, smtplib.SMTPException) as error:
        return Again(f"it cannot be reached ({type(error).__name__})")
    return Sent()


def _connected(host: str, port: int, tls: str) -> smtplib.SMTP:
    if tls == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=TIMEOUT)
