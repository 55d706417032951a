// Readers of From that run on Node.js: Thunderbird's jsmime, nodemailer's parser of addresses, and postal-mime.
//
// Its argument is the folder of the packages. Each line of input is a field body in base64; each line of output says, for each
// reader, what it shows: pairs of a name and an address.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { createRequire } from "node:module";
import vm from "node:vm";

const packages = path.resolve(process.argv[2], "node_modules");
const require = createRequire(path.join(packages, "none.js"));
const addressparser = require("nodemailer/lib/addressparser");
const PostalMime = require("postal-mime");

// jsmime's modules name one another as only bundlers understand.
const modules = new Map();
const context = vm.createContext({ TextDecoder, TextEncoder, atob, btoa, console });
function module(file) {
  if (!modules.has(file)) {
    modules.set(file, new vm.SourceTextModule(fs.readFileSync(file, "utf-8"), { context, identifier: file }));
  }
  return modules.get(file);
}
const parser = module(path.join(packages, "@protontech/jsmimeparser/lib/headerParser.js"));
await parser.link((name, from) => module(path.resolve(path.dirname(from.identifier), `${name}.js`)));
await parser.evaluate();
const jsmime = parser.namespace.default;

// Members of groups are shown like any others, and a name where there is no member.
const flat = (entries, group, address) =>
  entries.flatMap((entry) =>
    entry[group]?.length ? flat(entry[group], group, address) : [[entry.name ?? "", entry[address] ?? ""]]
  );

const readers = {
  jsmime: (body) => flat(jsmime.parseAddressingHeader(jsmime.convert8BitHeader(body.toString("latin1"), "windows-1252"), true), "group", "email"),
  nodemailer: (body) => flat(addressparser(body.toString("utf-8")), "group", "address"),
  "postal-mime": async (body) => {
    const message = await PostalMime.parse(Buffer.concat([Buffer.from("From: "), body, Buffer.from("\r\n\r\n")]));
    return message.from ? flat([message.from], "group", "address") : [];
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const body = Buffer.from(line, "base64");
  const answer = {};
  for (const [name, read] of Object.entries(readers)) {
    // What a reader cannot read at all it does not show.
    try {
      answer[name] = await read(body);
    } catch {
      answer[name] = [];
    }
  }
  // Half a pair of surrogates is no text, and nobody else takes it.
  process.stdout.write(JSON.stringify(answer, (_, value) => (typeof value === "string" ? Buffer.from(value).toString() : value)) + "\n");
}
