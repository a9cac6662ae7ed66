"""A client that sees everything: the bytes of the TLS records, the alert, whether close_notify came before
FIN, and the response to the last byte. And a parser of responses that forgives nothing."""

import contextlib
import re
import socket
import ssl
import time
from dataclasses import dataclass, field

POLICY_PATH = "/.well-known/mta-sts.txt"

ALERT_HANDSHAKE_FAILURE = 40
ALERT_ILLEGAL_PARAMETER = 47
ALERT_PROTOCOL_VERSION = 70
ALERT_MISSING_EXTENSION = 109
ALERT_UNRECOGNIZED_NAME = 112
ALERT_NO_APPLICATION_PROTOCOL = 120

_RECORD_ALERT = 21
_RECORD_HANDSHAKE = 22


class ProtocolError(AssertionError):
    """What came back breaks a rule that no peer may break."""


# --- responses ----------------------------------------

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) ([\x20-\x7e]*)")
_FIELD_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?[ \t]*"
)
_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} "
    r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT"
)


@dataclass
class Response:
    """One HTTP response; field names in lower case."""

    status: int
    reason: str
    fields: dict
    body: bytes

    @property
    def allow(self):
        return {word.strip() for word in self.fields.get("allow", "").split(",")}


RECORD_BYTES = 8192  # mta-sts-server(8): the longest that the server takes


def parse_response(raw):
    """The one response in raw. Bare line feeds, a doubled field, bytes that are no text are failures."""
    head, separator, body = raw.partition(b"\r\n\r\n")
    if not separator:
        raise ProtocolError(f"no end of the head in {raw[:200]!r}")
    status_line, *field_lines = head.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(status_line)
    if not match:
        raise ProtocolError(f"status line {status_line!r}")
    fields = {}
    for line in field_lines:
        parsed = _FIELD_LINE.fullmatch(line)
        if not parsed:
            raise ProtocolError(f"field line {line!r}")
        name = parsed[1].decode().lower()
        if name in fields:
            raise ProtocolError(f"field {name} twice")
        fields[name] = (parsed[2] or b"").decode()
    return Response(int(match[1]), match[2].decode(), fields, body)


def assert_well_formed(response, was_head=False):
    """What holds for every response, whatever its status: conformance R11 to R18."""
    fields = response.fields
    assert not 300 <= response.status <= 399, "a redirect"  # R18, A-H9
    assert fields["connection"].lower() == "close"  # R15, A-H3
    assert re.fullmatch(r'text/plain(; *charset="?(utf-8|us-ascii)"?)?', fields["content-type"], re.I)  # R10
    assert re.fullmatch(r"[0-9]+", fields["content-length"])
    if was_head:
        assert response.body == b""
    else:
        assert int(fields["content-length"]) == len(response.body)  # R11
    assert _DATE.fullmatch(fields["date"])  # R12
    for name in (
        "transfer-encoding",
        "content-encoding",
        "vary",
        "location",
        "etag",
        "last-modified",
        "set-cookie",
        "alt-svc",
        "accept-ranges",
    ):
        assert name not in fields  # R11, R13
    if response.status != 200:
        assert b"version:" not in response.body and len(response.body) < 200  # R17


# --- connections ----------------------------------------


def client_context(root_file=None, **options):
    """A context that trusts root_file (None: looks at no certificate). options: alpn, version, ciphers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # a FIN without close_notify is an error here
    if root_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(str(root_file))
    if options.get("alpn"):
        context.set_alpn_protocols(options["alpn"])
    version = options.get("version")
    if version is not None and version < ssl.TLSVersion.TLSv1_2:
        context.set_ciphers("ALL:@SECLEVEL=0")  # Debian's default level would not even offer it
    if version is not None:
        context.minimum_version = context.maximum_version = version
    if options.get("ciphers"):
        context.set_ciphers(options["ciphers"])
    return context


@dataclass
class Outcome:
    """What a connection brought."""

    received: bytes = b""  # plain text
    records: bytes = b""  # everything the server sent, as it came off the wire
    close_notify: bool = False  # before the end of the stream
    was_reset: bool = False
    error: str = ""  # OpenSSL's reason, when the handshake or the reading failed
    elapsed_s: float = 0.0  # from the last byte sent until the server had closed
    details: dict = field(default_factory=dict)  # version, cipher, alpn, certificate

    @property
    def response(self):
        return parse_response(self.received)

    @property
    def plain_alert(self):
        """(level, description) of an alert that was sent in the clear; None when there was none."""
        for kind, payload in split_records(self.records):
            if kind == _RECORD_ALERT and len(payload) == 2:
                return payload[0], payload[1]
        return None


def split_records(stream):
    """The complete TLS records of a stream as (content type, payload)."""
    at = 0
    while at + 5 <= len(stream):
        length = int.from_bytes(stream[at + 3 : at + 5], "big")
        if at + 5 + length > len(stream):
            return
        yield stream[at], stream[at + 5 : at + 5 + length]
        at += 5 + length


class Connection:
    """One TLS connection, its records passed by hand between the socket and a memory buffer."""

    def __init__(self, address, sni, context=None, timeout_s=20, plain=None):
        """plain: a connected socket, kept; None: a new one."""
        self._socket = plain or socket.create_connection(address, timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = context or client_context()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=sni)
        self._is_at_end = False
        self._sent_at = time.monotonic()
        self.outcome = Outcome()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._socket.close()

    def _flush(self):
        self._socket.sendall(self._outgoing.read())
        self._sent_at = time.monotonic()

    def _fill(self):
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            self.outcome.was_reset = True
            data = b""
        if data:
            self.outcome.records += data
            self._incoming.write(data)
        else:
            self._is_at_end = True
            self._incoming.write_eof()

    def _run(self, step):
        """Repeats step until it has what it needs. None when the stream ended or the library gave up."""
        while True:
            try:
                result = step()
                if self._outgoing.pending:
                    self._flush()
                return result
            except ssl.SSLWantReadError:
                if self._outgoing.pending:
                    self._flush()
                self._fill()
            except ssl.SSLError as error:
                self.outcome.error = error.reason or str(error)
                with contextlib.suppress(ConnectionError):  # our alert; the server may be gone already
                    self._flush()
                return None

    def handshake(self):
        """True when it worked."""
        self._run(self._tls.do_handshake)
        if self.outcome.error:
            self._read_to_end_of_stream()
            return False
        self.outcome.details = {
            "version": self._tls.version(),
            "cipher": self._tls.cipher()[0],
            "alpn": self._tls.selected_alpn_protocol(),
            "certificate": self._tls.getpeercert(binary_form=True),
        }
        return True

    def send(self, data, byte_by_byte=False, record_bytes=RECORD_BYTES):
        """In records as long as the server takes them, or each byte in a record and a segment of its own."""
        size = 1 if byte_by_byte else record_bytes
        for piece in [data[i : i + size] for i in range(0, len(data), size)]:
            self._tls.write(piece)
            self._flush()

    def half_close(self):
        """FIN without close_notify, as a client that only reads from now on."""
        self._socket.shutdown(socket.SHUT_WR)

    def read_all(self):
        """Everything until the server has closed its side."""
        while True:
            data = self._run(lambda: self._tls.read(65536))
            if data is None:
                break
            if data == b"":  # Python's way to say close_notify; a bare FIN is an SSLEOFError
                self.outcome.close_notify = True
                break
            self.outcome.received += data
        self._read_to_end_of_stream()
        self.outcome.elapsed_s = time.monotonic() - self._sent_at
        return self.outcome

    def _read_to_end_of_stream(self):
        while not self._is_at_end:
            self._fill()


def exchange(address, sni, data, context=None, byte_by_byte=False):
    """Handshake with sni, send data, read until the server closes. A failed handshake is an outcome, too."""
    with Connection(address, sni, context) as connection:
        if not connection.handshake():
            return connection.outcome
        connection.send(data, byte_by_byte)
        return connection.read_all()


def request(host, target=POLICY_PATH, method="GET", version="HTTP/1.1", extra=()):
    """The bytes of a request; extra are further field lines."""
    lines = [f"{method} {target} {version}", f"Host: {host}", *extra, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def raw_exchange(address, data, timeout_s=20):
    """Bytes over plain TCP; what comes back until the server closes."""
    with socket.create_connection(address, timeout=timeout_s) as plain:
        plain.sendall(data)
        received = b""
        while True:
            try:
                piece = plain.recv(65536)
            except ConnectionResetError:
                return received
            if not piece:
                return received
            received += piece


def handshake_sent_certificate(outcome):
    """Did any part of a handshake come, or anything encrypted?"""
    return any(kind == _RECORD_HANDSHAKE or kind == 23 for kind, _ in split_records(outcome.records))
