// node dnsconfig.js FILE: evaluates a DNSControl configuration with the functions that DNSControl documents, and prints
// its records as JSON. What DNSControl refuses ends here with status 1, too.
"use strict";
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const domains = [];

function expect(condition, message) {
  if (!condition) throw new Error(message);
}

function apply(domain, modifiers) {
  for (const modifier of modifiers.flat(Infinity)) {
    expect(typeof modifier === "function", `domain modifier type unsupported: ${typeof modifier}`);
    modifier(domain);
  }
}

// The longest match among the domains that were declared with D().
function owner(name) {
  const hits = domains.filter((d) => name === d.name || name.endsWith("." + d.name));
  return hits.sort((a, b) => b.name.length - a.name.length)[0];
}

function builder(type, check) {
  return (label, data, ...modifiers) => (domain) => {
    expect(typeof label === "string" && /^(@|[-_a-z0-9]+(\.[-_a-z0-9]+)*)$/.test(label), `label ${label}`);
    expect(typeof data === "string" && check(data), `${type} ${data}`);
    const record = { type, data, ttl: 300 };
    const parts = [label === "@" ? "" : label, domain.subdomain, domain.name].filter((p) => p);
    record.name = parts.join(".") + ".";
    modifiers.forEach((modifier) => modifier(record));
    domain.records.push(record);
  };
}

const globals = {
  NewRegistrar: (name) => name,
  NewDnsProvider: (name) => name,
  DnsProvider: () => () => {},
  D(name, registrar, ...modifiers) {
    expect(!domains.some((d) => d.name === name), `${name} is declared more than once`);
    domains.push({ name, subdomain: "", records: [] });
    apply(domains[domains.length - 1], modifiers);
  },
  D_EXTEND(name, ...modifiers) {
    const domain = owner(name);
    expect(domain, `${name} was not declared yet and therefore cannot be updated. Use D() before.`);
    domain.subdomain = name.slice(0, -domain.name.length - 1);
    apply(domain, modifiers);
    domain.subdomain = "";
  },
  TTL: (ttl) => (record) => {
    expect(Number.isInteger(ttl), `TTL ${ttl}`);
    record.ttl = ttl;
  },
  A: builder("A", (data) => /^\d+(\.\d+){3}$/.test(data)),
  AAAA: builder("AAAA", (data) => /^[0-9a-f:.]+$/.test(data) && data.includes(":")),
  CNAME: builder("CNAME", (data) => data.endsWith(".")), // without the dot it would be relative to the domain
  TXT: builder("TXT", () => true),
  require: (file) => run(path.join(path.dirname(process.argv[2]), file)),
};

const context = vm.createContext(globals);

function run(file) {
  vm.runInContext(fs.readFileSync(file, "utf8"), context, { filename: file });
}

run(process.argv[2]);
console.log(JSON.stringify(domains.flatMap((d) => d.records)));
