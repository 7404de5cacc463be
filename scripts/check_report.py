"""Checks the HTML report in a real browser: `python scripts/check_report.py [FOLDER]`.

Headless Chromium opens the report of the sample trail, a report of hostile texts, the pages of `who`, `timeline` and
`audit`, and, where `../shared/corpus` is there, a report of real attacks. A page must write nothing to the console,
fetch nothing, run nothing, fit 360 and 1,400 pixels, and have no violation that axe-core finds.
Screenshots and a PDF are kept in FOLDER (default: `build/report`). The picture in the documentation must be of this
report: it holds the SHA-256 of the page that it shows, and `CLOUDSIGMA_RECORD=1` makes it anew. Needs Chromium
(`CHROMIUM` names it) and the dependency group `browser`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from msgspec import structs
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Browser, Page, sync_playwright

import cloudsigma
from cloudsigma.activity.target import parse_target
from cloudsigma.activity.timeline import timeline
from cloudsigma.activity.who import who
from cloudsigma.auditing import AuditRequest, make_audit
from cloudsigma.engine.approval import ApprovalUse
from cloudsigma.engine.match import Match
from cloudsigma.reading.account.ledger import Ledger, Loss
from cloudsigma.report import Account, Digest, render, render_sections
from cloudsigma.report.activity_page import timeline_sections, who_sections

ROOT = Path(__file__).parent.parent
WIDTHS = (360, 1400)
CORPUS = ROOT.parent / "shared" / "corpus"
PRESSED = 20
"""Details of a page that are opened with the keyboard; a script opens the others, which are made by the same code."""
PICTURE = ROOT / "docs" / "images" / "report.png"
PICTURE_SIZE = (1280, 1060)
SHOWS = "report-sha256"
"""Where the picture holds the digest of the page that it shows."""
MADE = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
HOSTILE = (
    "<script>document.title='run'</script>",
    '"><img src=https://evil.example/x onerror="document.title=\'run\'">',
    "</style><style>body{display:none}</style>",
    "javascript:document.title='run'",
    "{{ 7 * 7 }}",
    "\u202egnp.exe",
    "nul\x00nul",
    "x" * 3000,
)


def main() -> int:
    """Check both reports; gives 1 if anything is wrong."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "report").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)  # pages name files as they were given: relative ones, so that a page is the same in every checkout
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("no Chromium: install Debian's package `chromium`, or name another with CHROMIUM", file=sys.stderr)
        return 1
    pages = {
        "sample": sample(), "hostile": hostile(), "who": who_page(), "timeline": timeline_page(), "audit": audit_page(),
    }  # fmt: skip
    if CORPUS.is_dir():
        pages["corpus"] = corpus_page()
    else:
        print(f"SKIPPED: the report of real attacks: {CORPUS} is not there", file=sys.stderr)
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu", "--disable-quic"]
        )
        for name, text in pages.items():
            path = folder / f"{name}.html"
            path.write_text(text, encoding="utf-8")
            schemes = ("light",) if name == "corpus" else ("light", "dark")  # the longest page has no style of its own
            for scheme in schemes:
                faults += [f"{name}, {scheme}: {fault}" for fault in check(browser, path, scheme)]
        faults += check_picture(browser, folder / "sample.html")
        browser.close()
    print("\n".join(faults) or f"the report holds: {folder}")
    return 1 if faults else 0


def sample() -> str:
    """The report of the sample trail, with linked sessions and approvals."""
    trail = Path("examples/trail")
    rules = cloudsigma.bundled_rules(correlations=True)
    approvals = cloudsigma.Approvals.load("examples/approvals.yml", rules)
    sessions, digest = cloudsigma.Sessions(), Digest()
    for record in cloudsigma.read_records(trail):
        sessions.add(record)
    scan = cloudsigma.scan(trail, rules=rules, coverage=True, approvals=approvals)
    for match in scan:
        digest.add(structs.replace(match, session=sessions.link(match.record)))
    assert scan.outcome.approvals is not None
    uses, digest_of_approvals = scan.outcome.approvals.uses, scan.outcome.approvals.digest
    account = Account(scan.ledger, len(rules), approvals=uses, approvals_digest=digest_of_approvals)
    return render(digest, account, made=MADE)


def corpus_page() -> str:
    """The report of real attacks, by rules that other people wrote."""
    rules = cloudsigma.compile_rules(CORPUS / "sigmahq_rules", on_error="skip")
    sessions, digest = cloudsigma.Sessions(), Digest()
    paths = [CORPUS / "invictus", CORPUS / "stratus"]
    for record in cloudsigma.read_records(*paths):
        sessions.add(record)
    scan = cloudsigma.scan(*paths, rules=rules, coverage=True)
    for match in scan:
        digest.add(structs.replace(match, session=sessions.link(match.record)))
    return render(digest, Account(scan.ledger, len(rules)), made=MADE)


def who_page() -> str:
    """The page of `who` for the user behind the sample trail."""
    found = who(parse_target("jordan"), ["examples/trail"])
    sections = who_sections(found.inquiry, found.issued, None)
    return render_sections("Who is jordan", sections, found.ledger, made=MADE)


def timeline_page() -> str:
    """The page of `timeline` for the sample trail."""
    made, ledger = timeline(["examples/trail"])
    with closing(made):
        return render_sections("Timeline", timeline_sections(made), ledger, made=MADE)


def audit_page() -> str:
    """The audit of the sample trail."""
    rules = cloudsigma.bundled_rules(correlations=True)
    examples = Path("examples")
    request = AuditRequest(
        (str(examples / "trail"),), MADE - dt.timedelta(days=30), MADE, rules,
        cloudsigma.Approvals.load(examples / "approvals.yml", rules),
        cloudsigma.Register.load(examples / "register.yml", today=MADE.date()),
    )  # fmt: skip
    return make_audit(request, MADE).page


def hostile() -> str:
    """A report in which every text is hostile."""
    digest = Digest()
    for text in HOSTILE:
        digest.add(hostile_match(text))
    losses = tuple(Loss(text, text, text) for text in HOSTILE)
    uses = [
        ApprovalUse(text, None, MADE, used=1, near=1, after=1, ticket=text, owner=text, reason=text) for text in HOSTILE
    ]
    account = Account(
        Ledger(losses=losses), 4, notes=HOSTILE, rule_errors=HOSTILE, matches_file=HOSTILE[0],
        approvals=uses, approvals_digest=HOSTILE[0],
    )  # fmt: skip
    return render(digest, account, made=MADE)


def hostile_match(text: str) -> Match:
    """A match whose record holds the text everywhere."""
    record = {
        "eventName": "CreateGroup",
        "eventSource": "iam.amazonaws.com",
        "eventTime": "2026-11-17T13:00:00Z",
        "eventID": text,
        "awsRegion": text,
        "sourceIPAddress": text,
        "userIdentity": {"type": "IAMUser", "arn": text, "userName": text},
        "requestParameters": {"groupName": text},
    }
    [match] = cloudsigma.evaluate([record])
    near = cloudsigma.NearMiss(text, "expect", f"groupName is {text}")
    return structs.replace(match, approval=cloudsigma.Decision("none", near=(near,)))


def check(browser: Browser, path: Path, scheme: Any) -> list[str]:
    """What is wrong with a page at each width."""
    return [fault for width in WIDTHS for fault in check_width(browser, path, scheme, width)]


def check_width(browser: Browser, path: Path, scheme: Any, width: int) -> list[str]:
    """What is wrong with a page at one width; keeps a screenshot."""
    faults: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: faults.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("request", lambda request: faults.extend(_foreign(request.url, path)))
    page.goto(path.as_uri())
    faults += look_at(page, width)
    page.screenshot(path=path.with_name(f"{path.stem}-{scheme}-{width}.png"), full_page=True)
    if width == max(WIDTHS) and scheme == "light":
        page.pdf(path=path.with_suffix(".pdf"), format="A4")
    page.close()
    return faults


def look_at(page: Page, width: int) -> list[str]:
    """What is wrong with an open page."""
    faults = []
    if "run" in page.title():
        faults.append("a text of a record was run")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        faults.append(f"the page is {overflow} pixels wider than {width}")
    if not page.locator("h1").is_visible():
        faults.append("the heading cannot be seen")
    for summary in page.locator("summary").all()[:PRESSED]:
        summary.press("Enter")  # with a keyboard, as those do who have no mouse
    page.evaluate(f"[...document.querySelectorAll('details')].slice({PRESSED}).forEach(each => each.open = true)")
    closed = page.locator("details:not([open])").count()
    if closed:
        faults.append(f"{closed} details cannot be opened with the keyboard")
    violations = Axe().run(page).response["violations"]
    faults += [f"axe: {each['id']}: {each['nodes'][0]['html'][:120]}" for each in violations]
    return faults


def check_picture(browser: Browser, report: Path) -> list[str]:
    """Whether the documentation's picture is that of the report; makes it with `CLOUDSIGMA_RECORD=1`."""
    digest = hashlib.sha256(report.read_bytes()).hexdigest()
    if os.environ.get("CLOUDSIGMA_RECORD"):
        taken = report.with_name("picture.png")
        page = browser.new_page(viewport={"width": PICTURE_SIZE[0], "height": PICTURE_SIZE[1]}, color_scheme="light")
        page.goto(report.as_uri())
        page.screenshot(path=taken)
        page.close()
        shows = PngInfo()
        shows.add_text(SHOWS, digest)
        PICTURE.parent.mkdir(exist_ok=True)
        with Image.open(taken) as image:
            small = image.convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
            small.save(PICTURE, optimize=True, pnginfo=shows)
    with Image.open(PICTURE) as picture:
        if picture.info.get(SHOWS) == digest:
            return []
    return [f"{PICTURE.relative_to(ROOT)} shows another report: make it anew with CLOUDSIGMA_RECORD=1"]


def _foreign(address: str, path: Path) -> list[str]:
    return [] if address == path.as_uri() else [f"request: {address}"]


if __name__ == "__main__":
    sys.exit(main())
