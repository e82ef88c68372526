// Usage: node verify_sigstore.mjs MODULES TRUSTED_ROOT KEY.pub SHA256 [type=URI] BUNDLE...
//
// The whole verification of sigstore-js for a managed key: inclusion proof, checkpoint, log entry, signature. MODULES is
// the folder that @sigstore/verify was installed into. One line a bundle; status 1 if one is refused, 2 if the library is
// not there.
import { createHash, createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [modules, rootFile, keyFile, image, ...bundles] = process.argv.slice(2);
const type = bundles[0]?.startsWith('type=') ? bundles.shift().slice('type='.length) : undefined;
const require = createRequire(join(resolve(modules), 'index.js'));
let verify, bundle, specs;
try {
  verify = require('@sigstore/verify');
  bundle = require('@sigstore/bundle');
  specs = require('@sigstore/protobuf-specs');
} catch (error) {
  console.error(`sigstore-js is not there: ${error.message}`);
  process.exit(2);
}

// A line of selfsame's own may stand before the block.
const pem = readFileSync(keyFile, 'utf8');
const spki = createPublicKey(pem.slice(pem.indexOf('-----BEGIN'))).export({ type: 'spki', format: 'der' });
const hint = createHash('sha256').update(spki).digest('base64');
const root = specs.TrustedRoot.fromJSON(JSON.parse(readFileSync(rootFile, 'utf8')));
const keys = { [hint]: { rawBytes: spki, keyDetails: specs.PublicKeyDetails.PKIX_ECDSA_P256_SHA_256 } };
// One log entry is wanted. A time stamp only where the root names an authority: a Rekor v2
// log gives no time, and a managed key needs none.
const timestampThreshold = root.timestampAuthorities.length > 0 ? 1 : 0;
const verifier = new verify.Verifier(verify.toTrustMaterial(root, keys), { tlogThreshold: 1, timestampThreshold });

let refused = bundles.length === 0;
for (const file of bundles) {
  try {
    const document = bundle.bundleFromJSON(JSON.parse(readFileSync(file, 'utf8')));
    verifier.verify(verify.toSignedEntity(document));
    // What a statement is about, and of which type it is, sigstore-js leaves to its caller.
    const statement = JSON.parse(document.content.dsseEnvelope.payload.toString('utf8'));
    if (!statement.subject.some((subject) => subject.digest.sha256 === image)) {
      throw Object.assign(new Error('the statement is about something else'), { code: 'SUBJECT' });
    }
    if (type !== undefined && statement.predicateType !== type) {
      throw Object.assign(new Error('the statement is of another type'), { code: 'TYPE' });
    }
    console.log(`${file}: accepted`);
  } catch (error) {
    console.log(`${file}: refused: ${error.code}: ${error.message}`);
    refused = true;
  }
}
process.exit(refused ? 1 : 0);
