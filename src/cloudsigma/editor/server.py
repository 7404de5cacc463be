"""The language server: pygls speaks the protocol, the other modules have the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path
from pygls.workspace import TextDocument

from cloudsigma.catalogue import Catalogue
from cloudsigma.editor.completion import Kind, suggestions_at
from cloudsigma.editor.hover import hover_at
from cloudsigma.editor.open_files import OpenFiles, case_errors, cases_beside, run_cases
from cloudsigma.escaping import printable_lines
from cloudsigma.linting import Finding, LintOptions
from cloudsigma.version import __version__

SOURCE = "cloudsigma"
RUN_CASES = "cloudsigma.runCases"
MOST_REPORTED = 20
"""Failed cases whose report is written to the log of the editor."""

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "info": types.DiagnosticSeverity.Information,
}
_DEAD = frozenset({"dead-value", "duplicate-value", "filter-without-effect", "unused-selection"})
"""Findings about text that has no effect; editors draw it paler."""
_KINDS: dict[Kind, types.CompletionItemKind] = {
    "attribute": types.CompletionItemKind.Property,
    "field": types.CompletionItemKind.Field,
    "modifier": types.CompletionItemKind.Operator,
    "value": types.CompletionItemKind.EnumMember,
    "name": types.CompletionItemKind.Variable,
}


class RuleServer(LanguageServer):
    """A server for rules; `start_io` runs it on standard input and output."""

    def __init__(self, options: LintOptions | None = None) -> None:
        super().__init__("cloudsigma", __version__)
        self._options = options or LintOptions()
        self.files = OpenFiles(self._options)
        self.found: dict[str, list[Finding]] = {}
        """The findings that each open file was last reported with."""

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue, with the names that the user added."""
        return Catalogue.load(self._options.events)

    def lint(self, uri: str, *, saved: bool) -> None:
        """Report the findings of a file."""
        document = self.workspace.get_text_document(uri)
        path = _path(document)
        found = self.files.findings(path, document.source, saved=saved)
        self.found[uri] = found
        diagnostics = [self._diagnostic(document, each) for each in found]
        for line, column, text in case_errors(path):
            place = self._range(document, (line, column), (line, len(document.lines[line - 1]) + 1))
            diagnostics.append(types.Diagnostic(place, text, types.DiagnosticSeverity.Error, source=SOURCE))
        self.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, diagnostics, document.version))

    def _diagnostic(self, document: TextDocument, finding: Finding) -> types.Diagnostic:
        return types.Diagnostic(
            range=self._range(document, (finding.line, finding.column), (finding.end_line, finding.end_column)),
            message=f"{finding.message}. {finding.remedy or ''}".rstrip(),
            severity=_SEVERITIES[finding.severity],
            code=finding.slug,
            source=SOURCE,
            tags=[types.DiagnosticTag.Unnecessary] if finding.slug in _DEAD else None,
        )

    def _range(self, document: TextDocument, start: tuple[int, int], end: tuple[int, int]) -> types.Range:
        """Places counted from 1, in characters, as the client counts them."""
        here, there = (types.Position(line - 1, column - 1) for line, column in (start, end))
        return document.position_codec.range_to_client_units(document.lines, types.Range(here, there))

    def range_on(self, document: TextDocument, line: int, start: int, end: int) -> types.Range:
        """Columns of a line, counted from 0, in characters."""
        return self._range(document, (line + 1, start + 1), (line + 1, end + 1))

    def position(self, document: TextDocument, position: types.Position) -> types.Position:
        """A position of the client, in characters."""
        found = document.position_codec.position_from_client_units(document.lines, position)
        return types.Position(found.line, found.character)


def make_server(options: LintOptions | None = None) -> RuleServer:
    """The server with everything that it answers to."""
    server = RuleServer(options)

    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def _(params: types.DidOpenTextDocumentParams) -> None:
        server.lint(params.text_document.uri, saved=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def _(params: types.DidChangeTextDocumentParams) -> None:
        server.lint(params.text_document.uri, saved=False)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def _(params: types.DidSaveTextDocumentParams) -> None:
        server.lint(params.text_document.uri, saved=True)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def _(params: types.DidCloseTextDocumentParams) -> None:
        uri = params.text_document.uri
        server.files.close(to_fs_path(uri) or uri)
        server.found.pop(uri, None)
        server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))

    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=["|", ":", ".", "-", " "])
    )
    def _(params: types.CompletionParams) -> types.CompletionList:
        return _completion(server, params)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def _(params: types.HoverParams) -> types.Hover | None:
        document = server.workspace.get_text_document(params.text_document.uri)
        at = server.position(document, params.position)
        found = hover_at(document.lines, at.line, at.character, server.catalogue)
        if found is None:
            return None
        text, cursor = found
        place = server.range_on(document, at.line, cursor.start, cursor.end)
        return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, text), place)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])
    )
    def _(params: types.CodeActionParams) -> list[types.CodeAction]:
        return _fixes(server, params)

    @server.feature(types.TEXT_DOCUMENT_CODE_LENS)
    def _(params: types.CodeLensParams) -> list[types.CodeLens]:
        document = server.workspace.get_text_document(params.text_document.uri)
        if cases_beside(_path(document)) is None:
            return []
        command = types.Command("Run the cases", RUN_CASES, arguments=[params.text_document.uri])
        return [types.CodeLens(types.Range(types.Position(0, 0), types.Position(0, 0)), command)]

    @server.command(RUN_CASES)
    def _(uri: str) -> dict[str, Any]:
        return _run_cases(server, uri)

    return server


def _path(document: TextDocument) -> str:
    return str(Path(document.path)) if document.path else document.uri


def _completion(server: RuleServer, params: types.CompletionParams) -> types.CompletionList:
    document = server.workspace.get_text_document(params.text_document.uri)
    at = server.position(document, params.position)
    found = suggestions_at(document.lines, at.line, at.character, server.catalogue)
    place = server.range_on(document, at.line, found.cursor.start, found.cursor.end)
    items = [
        types.CompletionItem(
            each.text, kind=_KINDS[each.kind], documentation=each.about, filter_text=each.text,
            text_edit=types.TextEdit(place, each.text),
        )
        for each in found.suggestions
    ]  # fmt: skip
    return types.CompletionList(not found.whole, items)


def _fixes(server: RuleServer, params: types.CodeActionParams) -> list[types.CodeAction]:
    """The fixes of the findings in a range."""
    uri = params.text_document.uri
    document = server.workspace.get_text_document(uri)
    first, last = params.range.start.line + 1, params.range.end.line + 1
    actions = []
    for finding in server.found.get(uri, ()):
        if not finding.fixes or finding.line > last or finding.end_line < first:
            continue
        edits = [types.TextEdit(_offsets(server, document, fix.start, fix.end), fix.text) for fix in finding.fixes]
        texts = ", ".join(fix.text for fix in finding.fixes)
        actions.append(
            types.CodeAction(
                f"Write {texts}", kind=types.CodeActionKind.QuickFix, is_preferred=True,
                edit=types.WorkspaceEdit(changes={uri: edits}),
                diagnostics=[each for each in params.context.diagnostics if each.code == finding.slug],
            )
        )  # fmt: skip
    return actions


def _offsets(server: RuleServer, document: TextDocument, start: int, end: int) -> types.Range:
    """Offsets into the text as a range of the client."""
    line = 0
    for text in document.lines:
        if start < len(text):
            break
        start, end, line = start - len(text), end - len(text), line + 1
    return server.range_on(document, line, start, end)


def _run_cases(server: RuleServer, uri: str) -> dict[str, Any]:
    """Run the cases of a rule as it is on the disk, and tell the result."""
    count, failed = run_cases(to_fs_path(uri) or uri)
    for report in failed[:MOST_REPORTED]:
        _log(server, report)
    if failed:
        text, kind = f"{len(failed)} of {count} cases failed; the log has the reasons", types.MessageType.Error
    else:
        text, kind = f"{count} cases passed", types.MessageType.Info
    server.window_show_message(types.ShowMessageParams(kind, text))
    return {"cases": count, "failed": len(failed)}


def _log(server: RuleServer, report: str) -> None:
    server.window_log_message(types.LogMessageParams(types.MessageType.Error, printable_lines(report)))
