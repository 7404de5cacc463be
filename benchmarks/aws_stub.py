"""A small S3 and SQS on loopback, for soak tests: moto takes about ten times as long for each request.

It knows the requests that a scan of a queue makes: GetObject of files in a folder, and the JSON protocol of SQS with
long polls, visibility, receipt handles and redrive. Old handles are refused, as by ElasticMQ.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

INVALID = "ReceiptHandleIsInvalid"


class Queue:
    """A queue in memory."""

    def __init__(self, visibility: float, receives: int) -> None:
        self.visibility, self.receives = visibility, receives
        self.messages: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.dead: list[str] = []
        self.deleted = 0
        self.changed = threading.Condition()

    def send(self, bodies: list[str]) -> None:
        """Add messages."""
        with self.changed:
            for body in bodies:
                name = uuid.uuid4().hex
                self.messages[name] = {"id": name, "body": body, "at": 0.0, "count": 0, "handle": ""}
            self.changed.notify_all()

    def receive(self, most: int, wait: float) -> list[dict[str, Any]]:
        """Receive messages, waiting for the first."""
        end = time.monotonic() + wait
        with self.changed:
            while True:
                found = self._visible(most)
                left = end - time.monotonic()
                if found or left <= 0:
                    return found
                self.changed.wait(min(left, 0.2))

    def _visible(self, most: int) -> list[dict[str, Any]]:
        now, found = time.monotonic(), []
        for name in list(self.messages):
            message = self.messages[name]
            if message["at"] > now:
                continue
            self.messages.move_to_end(name)
            if message["count"] >= self.receives:
                self.dead.append(self.messages.pop(name)["body"])
                continue
            message["count"] += 1
            message["at"] = now + self.visibility
            message["handle"] = f"{name}/{message['count']}"
            found.append(dict(message))
            if len(found) == most:
                break
        return found

    def change(self, handle: str, seconds: float | None) -> bool:
        """Delete a message (`None`), or change its visibility; returns whether the handle is the latest."""
        with self.changed:
            message = self.messages.get(handle.partition("/")[0])
            if message is None or message["handle"] != handle:
                return False
            if seconds is None:
                del self.messages[message["id"]]
                self.deleted += 1
            else:
                message["at"] = time.monotonic() + seconds
            return True


class Server:
    """The server: objects are the files of a folder, by the last part of their key."""

    def __init__(self, folder: Path, queue: Queue) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(folder, queue))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()


def _answers(queue: Queue, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
    match operation:
        case "GetQueueUrl":
            return {"QueueUrl": "http://127.0.0.1/000000000000/soak"}
        case "GetQueueAttributes":
            attributes = {
                "VisibilityTimeout": str(int(queue.visibility)), "RedrivePolicy": "{}",
                "ApproximateNumberOfMessages": str(len(queue.messages)),
            }  # fmt: skip
            return {"Attributes": attributes}
        case "ReceiveMessage":
            found = queue.receive(int(asked.get("MaxNumberOfMessages", 1)), float(asked.get("WaitTimeSeconds", 0)))
            messages = [
                {
                    "MessageId": each["id"], "ReceiptHandle": each["handle"], "Body": each["body"],
                    "MD5OfBody": hashlib.md5(each["body"].encode()).hexdigest(),  # noqa: S324  # as SQS has it
                    "Attributes": {"ApproximateReceiveCount": str(each["count"])},
                }
                for each in found
            ]  # fmt: skip
            return {"Messages": messages} if messages else {}
        case "DeleteMessageBatch" | "ChangeMessageVisibilityBatch":
            done: dict[str, list[dict[str, Any]]] = {"Successful": [], "Failed": []}
            for entry in asked["Entries"]:
                seconds = entry.get("VisibilityTimeout") if operation.startswith("Change") else None
                if queue.change(entry["ReceiptHandle"], seconds):
                    done["Successful"].append({"Id": entry["Id"]})
                else:
                    done["Failed"].append({"Id": entry["Id"], "Code": INVALID, "SenderFault": True})
            return done
        case _:
            raise ValueError(operation)


def _handler(folder: Path, queue: Queue) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def do_GET(self) -> None:  # http.server's name
            file = folder / unquote(self.path.partition("?")[0]).rsplit("/", 1)[-1]
            data = file.read_bytes()
            first, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
            headers, size, status = {}, len(data), 200
            if first:
                data, status = data[int(first) : int(last) + 1 if last else None], 206
                headers["Content-Range"] = f"bytes {first}-{int(first) + len(data) - 1}/{size}"
            self._send(
                data, headers | {"ETag": f'"{file.name}"', "Last-Modified": "Sat, 01 Mar 2025 10:00:00 GMT"}, status
            )

        def do_POST(self) -> None:  # as above
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            data = json.dumps(_answers(queue, operation, asked)).encode()
            self._send(data, {"Content-Type": "application/x-amz-json-1.0"})

        def _send(self, data: bytes, headers: dict[str, str], status: int = 200) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *given: Any) -> None:
            pass

    return Handler
