"""The golden vectors of conformance.md 4."""

import hashlib

# name: (body, bytes, SHA-256)
GOLDEN = {
    "G1": (
        b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n",
        70,
        "a5963b31a082635c6ec668171482b14f4bc317a11092eb1731afa8063f468676",
    ),
    "G2": (
        b"version: STSv1\r\nmode: testing\r\nmx: mx1.example.net\r\nmx: mx2.example.net\r\n"
        b"mx: *.mail.example.org\r\nmax_age: 86400\r\n",
        113,
        "9482daa9e57180607648d3ecde9f6bb47a4fdb171c6961bd189c55fc60467fb2",
    ),
    "G3": (
        b"version: STSv1\r\nmode: none\r\nmx: mail.example.com\r\nmax_age: 86400\r\n",
        66,
        "5c495af9617cb6097fed30da65b84d3c1187619be31d84f3b968adb46647fbe2",
    ),
    "G4": (
        b"version: STSv1\r\nmode: enforce\r\nmx: mx.xn--bcher-kva.example\r\nmax_age: 2592000\r\n",
        79,
        "5237c2f8973bebfc711fbaa053b2fc4469ae0444753d256e4521ec2b5ce37461",
    ),
    "G5": (
        b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 31557600\r\n",
        72,
        "de8bf9065ad43a692e20ffe05b0667eae8d1f3941a7f8f9da5822eeb95b68133",
    ),
}


def assert_golden(name, body):
    expected, size, digest = GOLDEN[name]
    assert body == expected
    assert len(body) == size
    assert hashlib.sha256(body).hexdigest() == digest
