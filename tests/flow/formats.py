"""Each format of `records` read back into facts: {(name, type, ttl, data, state)}; what is gone has no ttl and data."""

import json
import re

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import jsonschema
import natsort
import rig
import yaml

ALL = ["zone", "json", "nsupdate", "octodns", "dnscontrol", "external-dns", "powerdns"]
STATE_IS_SAID = [name for name in ALL if name != "powerdns"]  # a PATCH has no place for it

_HERE = rig.REPOSITORY / "tests" / "flow"
_STATE = re.compile(r"(withheld|withdrawing|gone)(?: (?:until|since) [0-9TZ:-]{20})?")
_COMMENT = re.compile(rf"(?:;|#|//) (\S+) ([A-Z]+): ({_STATE.pattern})")


def _comments(text):
    """Lines of the form `name TYPE: state`."""
    return [match for match in map(_COMMENT.fullmatch, text.splitlines()) if match]


def _state_of(text):
    """The first word of what a comment says; it must be a whole comment."""
    assert _STATE.fullmatch(text), text
    return text.split(" ")[0]


def txt(rdata_text):
    """The value of a TXT record's data as a zone file has it; every string fits."""
    rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.TXT, rdata_text)
    assert all(0 < len(part) <= 255 for part in rdata.strings)
    return b"".join(rdata.strings).decode("ascii")


def _data(kind, rdata_text):
    return txt(rdata_text) if kind == "TXT" else rdata_text


def from_zone(text):
    facts = []
    for line in text.splitlines():
        gone = re.fullmatch(r"; (gone since \S+): (\S+) \d+ IN (\S+) .*", line)
        if gone:
            facts.append((gone[2], gone[3], None, None, _state_of(gone[1])))
            continue
        name, ttl, _, kind, rest = line.split(" ", 4)
        rest, _, state = rest.partition(" ; ")
        facts.append((name, kind, int(ttl), _data(kind, rest), _state_of(state) if state else "live"))
    return facts


def from_json(text):
    return [
        (r["name"], r["type"], *((None, None) if r["state"] == "gone" else (r["ttl"], r["data"])), r["state"])
        for r in json.loads(text)
    ]


def from_nsupdate(text):
    facts, states, deleted = [], {}, set()
    for line in text.splitlines():
        comment = _COMMENT.fullmatch(line)
        words = line.split(" ", 5)
        if comment:
            states[comment[1], comment[2]] = _state_of(comment[3])
        elif words[:2] == ["update", "delete"]:
            deleted.add((words[2], words[3]))
        elif words[:2] == ["update", "add"]:
            _, _, name, ttl, kind, data = words
            assert (name, kind) in deleted, "it would be added to what is there"
            facts.append((name, kind, int(ttl), _data(kind, data), states.get((name, kind), "live")))
        else:
            assert line == "send", line
            deleted.clear()
    assert not deleted, "the last transaction is not sent"
    return facts + [(*key, None, None, state) for key, state in states.items() if state == "gone"]


def octodns_zones(text):
    """{zone: [(label, rrset)]}; asserts what octoDNS's YamlProvider demands (escaped_semicolons: true)."""
    zones = {}
    for document in re.split(r"^(?=--- )", text, flags=re.M)[1:]:
        zone = re.match(r"--- # (\S+)\n", document)[1]
        content = yaml.safe_load(document) or {}
        assert list(content) == natsort.natsorted(content), "keys out of order"
        rrsets = [(label, rrset) for label, owner in content.items() for rrset in owner]
        for _, rrset in rrsets:
            assert list(rrset) == sorted(rrset), "keys out of order"
            assert set(rrset) - {"value", "values"} == {"ttl", "type"} and len(rrset) == 3
            assert isinstance(rrset["ttl"], int)
            for value in rrset.get("values", [rrset.get("value")]):
                assert isinstance(value, str)
                assert rrset["type"] != "TXT" or (
                    not re.search(r"(?<!\\);", value) and r"\\;" not in value
                ), f"semicolons in {value}"
        zones[zone] = rrsets
    return zones


def from_octodns(text):
    facts = []
    for document in re.split(r"^(?=--- )", text, flags=re.M)[1:]:
        ((zone, rrsets),) = octodns_zones(document).items()
        states = re.findall(r"^  - ttl: \d+(?: # (.*))?$", document, re.M)
        assert len(states) == len(rrsets)
        for (label, rrset), state in zip(rrsets, states):
            for value in rrset.get("values", [rrset.get("value")]):
                data = value.replace("\\;", ";") if rrset["type"] == "TXT" else value
                facts.append(
                    (
                        f"{label}.{zone}",
                        rrset["type"],
                        rrset["ttl"],
                        data,
                        _state_of(state) if state else "live",
                    )
                )
        facts += [(f"{c[1]}.{zone}", c[2], None, None, _state_of(c[3])) for c in _comments(document)]
    return facts


def dnscontrol_records(folder, text, domains):
    """Evaluated in node beneath a configuration that declares these domains."""
    (folder / "mta-sts.js").write_text(text)
    declared = "".join(f'D("{domain}", REG, DnsProvider(DSP));\n' for domain in domains)
    (folder / "dnsconfig.js").write_text(
        'var REG = NewRegistrar("none"), DSP = NewDnsProvider("bind");\n'
        + declared
        + 'require("./mta-sts.js");\n'
    )
    finished = rig.run("node", _HERE / "dnsconfig.js", folder / "dnsconfig.js")
    assert finished.status == 0, finished.err
    return finished.json()


def from_dnscontrol(folder, text):
    domains = re.findall(r'^D_EXTEND\("([^"]+)"', text, re.M)
    records = dnscontrol_records(folder, text, domains)
    states = []
    for before, _ in re.findall(r"((?:^  // .*\n)?)^  (A|AAAA|CNAME|TXT)\(", text, re.M):
        states.append(_state_of(before.strip().removeprefix("// ")) if before else "live")
    assert len(states) == len(records)
    facts = [(r["name"], r["type"], r["ttl"], r["data"], s) for r, s in zip(records, states)]
    return facts + [(c[1], c[2], None, None, _state_of(c[3])) for c in _comments(text)]


def _strict(schema):
    """The schema as an API server applies it with strict validation: fields that it does not name are errors."""
    if isinstance(schema, dict):
        closed = {key: _strict(value) for key, value in schema.items()}
        if "properties" in schema and "additionalProperties" not in schema:
            closed["additionalProperties"] = False
        return closed
    return schema


def dnsendpoints(text):
    """The objects; asserts that they conform to the CustomResourceDefinition and that their names are allowed."""
    definition = yaml.safe_load((_HERE / "dnsendpoint_crd.yaml").read_text())
    schema = _strict(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    objects = list(yaml.safe_load_all(text))
    for item in objects:
        jsonschema.validate(item, schema)
        assert item["apiVersion"] == "externaldns.k8s.io/v1alpha1" and item["kind"] == "DNSEndpoint"
        name = item["metadata"]["name"]
        label = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
        assert re.fullmatch(rf"{label}(\.{label})*", name) and len(name) <= 253
        for endpoint in item["spec"]["endpoints"]:
            assert set(endpoint) == {"dnsName", "recordTTL", "recordType", "targets"} and endpoint["targets"]
            assert not endpoint["dnsName"].endswith(".")
            assert not any(target.endswith(".") for target in endpoint["targets"])
    assert len({item["metadata"]["name"] for item in objects}) == len(objects)
    return objects


def from_external_dns(text):
    facts = []
    comments = {(c[1], c[2]): _state_of(c[3]) for c in _comments(text.replace("    #", "#"))}
    for item in dnsendpoints(text):
        for endpoint in item["spec"]["endpoints"]:
            name, kind = endpoint["dnsName"], endpoint["recordType"]
            for target in endpoint["targets"]:
                data = target + "." if kind == "CNAME" else _data(kind, target)
                facts.append(
                    (name + ".", kind, endpoint["recordTTL"], data, comments.get((name, kind), "live"))
                )
    return facts + [
        (n + ".", kind, None, None, state) for (n, kind), state in comments.items() if state == "gone"
    ]


def from_powerdns(text):
    """What is deleted as well as what is set; a name with nothing set is gone in all its types."""
    facts = []
    for line in text.splitlines():
        body = json.loads(line)
        assert set(body) == {"name", "rrsets"}
        seen = [(r["name"], r["type"]) for r in body["rrsets"]]
        assert len(seen) == len(set(seen)) and all(name.endswith("." + body["name"]) for name, _ in seen)
        for rrset in body["rrsets"]:
            if rrset["changetype"] == "DELETE":
                facts.append((rrset["name"], rrset["type"], None, None, "gone"))
                continue
            assert rrset["changetype"] == "REPLACE" and rrset["records"]
            for record in rrset["records"]:
                assert record["disabled"] is False
                data = _data(rrset["type"], record["content"])
                facts.append((rrset["name"], rrset["type"], rrset["ttl"], data, "live"))
    return facts


def parse(form, text, folder):
    """The facts in what `records --format form` printed, sorted; none may be there twice."""
    readers = {
        "zone": from_zone,
        "json": from_json,
        "nsupdate": from_nsupdate,
        "octodns": from_octodns,
        "dnscontrol": lambda t: from_dnscontrol(folder, t),
        "external-dns": from_external_dns,
        "powerdns": from_powerdns,
    }
    facts = readers[form](text)
    set_ones = [fact for fact in facts if fact[4] != "gone"]  # several addresses may be gone at one name
    assert len(set_ones) == len(set(set_ones)), facts
    return set(facts)
