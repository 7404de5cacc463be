"""The language server, spoken to as an editor does: a process, the protocol over its pipes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pygls", reason="the extra `lsp` is not installed")

from lsprotocol import types
from pygls.lsp.client import LanguageClient

from cloudsigma.editor.open_files import OpenFiles
from cloudsigma.editor.server import RUN_CASES
from cloudsigma.linting import lint, run_lint

GOOD = """title: Group Created 🦊
id: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01
logsource: {product: aws, service: cloudtrail}
detection:
  selection:
    eventSource: iam.amazonaws.com
    eventName: CreateGroup
  condition: selection
"""
CASES = """cases:
  - name: a group
    reason: it is one
    template: {call: 'iam:CreateGroup'}
    match: true
  - name: another call
    reason: it is none
    template: {call: 'iam:CreateGroup'}
    set: {eventName: ListGroups}
    match: false
"""


class Editor:
    """An editor with open files; it keeps what the server last told about each."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.told: dict[str, list[types.Diagnostic]] = {}
        self.messages: list[str] = []
        self._versions: dict[str, int] = {}
        self._news = asyncio.Event()

        @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def _(params: types.PublishDiagnosticsParams) -> None:
            self.told[params.uri] = list(params.diagnostics)
            self._news.set()

        @client.feature(types.WINDOW_SHOW_MESSAGE)
        def _(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)

        @client.feature(types.WINDOW_LOG_MESSAGE)
        def _(params: types.LogMessageParams) -> None:
            self.messages.append(params.message)

    async def open(self, path: Path) -> list[types.Diagnostic]:
        self._versions[path.as_uri()] = 1
        item = types.TextDocumentItem(path.as_uri(), "yaml", 1, path.read_text())  # noqa: ASYNC240  # a small file
        return await self._after(
            path, lambda: self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        )

    async def change(self, path: Path, text: str) -> list[types.Diagnostic]:
        version = self._versions[path.as_uri()] = self._versions[path.as_uri()] + 1
        params = types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(version, path.as_uri()),
            [types.TextDocumentContentChangeWholeDocument(text)],
        )
        return await self._after(path, lambda: self.client.text_document_did_change(params))

    async def save(self, path: Path) -> list[types.Diagnostic]:
        params = types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(path.as_uri()))
        return await self._after(path, lambda: self.client.text_document_did_save(params))

    async def _after(self, path: Path, send: Callable[[], Any]) -> list[types.Diagnostic]:
        self._news.clear()
        send()
        await asyncio.wait_for(self._news.wait(), 20)
        return self.told[path.as_uri()]


def edit(
    work: Callable[[Editor], Awaitable[None]], folder: Path, encodings: Sequence[types.PositionEncodingKind] = ()
) -> None:
    """Start a server in a folder, and do some work with it."""

    async def session() -> None:
        client = LanguageClient("test", "1")
        await client.start_io(sys.executable, "-m", "cloudsigma", "lsp", cwd=str(folder))
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=list(encodings) or None)
        )
        await client.initialize_async(types.InitializeParams(capabilities, root_uri=folder.as_uri()))
        client.initialized(types.InitializedParams())
        try:
            await asyncio.wait_for(work(Editor(client)), 60)
        finally:
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()

    asyncio.run(session())


def test_findings_follow_the_text(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(GOOD)

    async def work(editor: Editor) -> None:
        assert await editor.open(rule) == []
        bad = GOOD.replace("eventName:", "eventname:")
        [finding] = await editor.change(rule, bad)
        assert (finding.code, finding.source) == ("unknown-field", "cloudsigma")
        assert finding.severity == types.DiagnosticSeverity.Warning
        assert (finding.range.start, finding.range.end) == (types.Position(6, 4), types.Position(6, 13))
        broken = await editor.change(rule, GOOD.replace("eventName: CreateGroup", "eventName: [CreateGroup"))
        assert [each.code for each in broken] == ["yaml-error"]
        assert await editor.change(rule, "version: 3\nservices: {}\n") == []
        assert await editor.change(rule, GOOD) == []

    edit(work, tmp_path)


@pytest.mark.parametrize(
    ("encoding", "end"),
    [
        (types.PositionEncodingKind.Utf16, 31),
        (types.PositionEncodingKind.Utf8, 33),
        (types.PositionEncodingKind.Utf32, 30),
    ],
)
def test_columns_are_counted_as_the_editor_counts_them(
    tmp_path: Path, encoding: types.PositionEncodingKind, end: int
) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(GOOD.replace("    eventName: CreateGroup\n", '    userAgent: ["🦊", " blank "]\n'))

    async def work(editor: Editor) -> None:
        [finding] = await editor.open(rule)
        assert finding.code == "outer-blank"
        assert finding.range.start.line == 6
        assert finding.range.end.character == end

    edit(work, tmp_path, [encoding])


def test_a_fix_is_offered_and_mends(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    bad = GOOD.replace("eventName:", "eventname:")
    rule.write_text(bad)

    async def work(editor: Editor) -> None:
        [finding] = await editor.open(rule)
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(rule.as_uri()), finding.range, types.CodeActionContext([finding])
        )
        actions = await editor.client.text_document_code_action_async(params)
        assert actions is not None
        [action] = actions
        assert isinstance(action, types.CodeAction)
        assert action.edit is not None
        assert action.edit.changes is not None
        [change] = action.edit.changes[rule.as_uri()]
        assert change.new_text == "eventName"
        line = bad.splitlines()[change.range.start.line]
        assert line[change.range.start.character : change.range.end.character] == "eventname"

    edit(work, tmp_path)


def test_names_are_completed_and_described(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    text = GOOD.replace("CreateGroup", "CreateGr")
    rule.write_text(text)

    async def work(editor: Editor) -> None:
        await editor.open(rule)
        document, at = types.TextDocumentIdentifier(rule.as_uri()), types.Position(6, 23)
        found = await editor.client.text_document_completion_async(types.CompletionParams(document, at))
        assert isinstance(found, types.CompletionList)
        assert [item.label for item in found.items] == ["CreateGroup"]
        assert isinstance(found.items[0].text_edit, types.TextEdit)
        assert found.items[0].text_edit.range == types.Range(types.Position(6, 15), types.Position(6, 23))
        await editor.change(rule, GOOD)
        hover = await editor.client.text_document_hover_async(types.HoverParams(document, types.Position(6, 18)))
        assert hover is not None
        assert isinstance(hover.contents, types.MarkupContent)
        assert "**CreateGroup** of iam.amazonaws.com: writes" in hover.contents.value

    edit(work, tmp_path)


def test_the_cases_are_run(tmp_path: Path) -> None:
    rule = tmp_path / "rule.yml"
    rule.write_text(GOOD)
    (tmp_path / "rule.cases.yml").write_text(CASES)
    alone = tmp_path / "alone.yml"
    alone.write_text(GOOD.replace("f6f01", "f6f02"))

    async def work(editor: Editor) -> None:
        await editor.open(rule)
        await editor.open(alone)
        lenses = await editor.client.text_document_code_lens_async(
            types.CodeLensParams(types.TextDocumentIdentifier(rule.as_uri()))
        )
        assert lenses is not None
        [lens] = lenses
        assert lens.command is not None
        assert (lens.command.title, lens.command.command) == ("Run the cases", RUN_CASES)
        assert not await editor.client.text_document_code_lens_async(
            types.CodeLensParams(types.TextDocumentIdentifier(alone.as_uri()))
        )
        run = types.ExecuteCommandParams(RUN_CASES, lens.command.arguments)
        assert await editor.client.workspace_execute_command_async(run) == {"cases": 2, "failed": 0}
        rule.write_text(GOOD.replace("CreateGroup", "DeleteGroup"))
        assert await editor.client.workspace_execute_command_async(run) == {"cases": 2, "failed": 1}
        assert "1 of 2 cases failed; the log has the reasons" in editor.messages
        assert any("a group" in message for message in editor.messages)

    edit(work, tmp_path)


def test_mistakes_of_case_files_are_told(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(GOOD)
    cases = tmp_path / "rule.cases.yml"
    cases.write_text(CASES.replace("match: false", "mach: false"))

    async def work(editor: Editor) -> None:
        [error] = await editor.open(cases)
        assert "mach" in error.message
        assert error.range.start.line == 9
        cases.write_text(CASES)
        assert await editor.save(cases) == []

    edit(work, tmp_path)


CORRELATION = """title: Many Groups
id: 0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f03
correlation: {type: event_count, rules: [0b2d8a8e-3c6f-4a7e-9d55-0a8f2f9f6f01], group-by: [userIdentity.arn],
  timespan: 1h, condition: {gte: 3}}
"""


def test_rules_of_other_files_are_found_when_a_file_is_opened_or_saved(tmp_path: Path) -> None:
    path = str(tmp_path / "many.yml")
    files = OpenFiles()
    assert [each.slug for each in files.findings(path, CORRELATION)] == ["reference-error"]
    (tmp_path / "rule.yml").write_text(GOOD)
    assert [each.slug for each in files.findings(path, CORRELATION, saved=False)] == ["reference-error"]
    assert files.findings(path, CORRELATION, saved=True) == []
    assert files.findings(path, CORRELATION, saved=False) == []
    files.close(path)


def test_the_findings_are_those_of_the_command(shared_corpus: Path) -> None:
    files = OpenFiles()
    paths = (
        sorted((shared_corpus / "sigmahq_rules").rglob("*.yml"))
        + sorted((shared_corpus / "suzaku_rules").rglob("*.yml"))[::12]
    )
    differing = []
    for path in paths:
        wanted = [each for each in run_lint([path]).findings if each.slug != "reference-error"]
        found = [each for each in files.findings(str(path), path.read_text()) if each.slug != "reference-error"]
        if wanted != found:
            differing.append(path.name)
    assert differing == []


def test_an_edit_takes_a_few_hundredths_of_a_second(root: Path) -> None:
    path = root / "sigma_rules" / "rolesanywhere" / "aws_cloudtrail_rolesanywhere_trust_anchor_external_ca.yml"
    text, files = path.read_text(), OpenFiles()
    files.findings(str(path), text)  # loads the catalogue
    took = []
    for at in range(10):
        began = time.process_time()
        files.findings(str(path), text + f"# {at}\n", saved=False)
        took.append(time.process_time() - began)
    assert sorted(took)[5] < 0.05
    assert lint(path) == []
