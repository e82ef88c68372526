// Usage: node make_bundles.mjs MODULES FOLDER STATEMENT ARTIFACT
//
// Bundles that sigstore-js makes with a key of its own (@sigstore/sign with a signer of the caller's, as it asks for one):
// FOLDER/key.pub, FOLDER/statement.sigstore.json with the bytes of STATEMENT in an envelope, FOLDER/message.sigstore.json
// about ARTIFACT. No log and no time stamp: it has witnesses for services only.
import { createHash, createSign, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const [modules, folder, statement, artifact] = process.argv.slice(2);
const require = createRequire(join(resolve(modules), 'index.js'));
const { DSSEBundleBuilder, MessageSignatureBundleBuilder } = require('@sigstore/sign');
const { bundleToJSON } = require('@sigstore/bundle');

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const hint = createHash('sha256').update(publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
const pem = publicKey.export({ type: 'spki', format: 'pem' });
const signer = {
  sign: async (data) => ({
    signature: createSign('sha256').update(data).sign(privateKey),
    key: { $case: 'publicKey', publicKey: pem, hint },
  }),
};
const write = (name, bundle) => writeFileSync(join(folder, name), JSON.stringify(bundleToJSON(bundle)));
writeFileSync(join(folder, 'key.pub'), pem);
const envelope = await new DSSEBundleBuilder({ signer, witnesses: [] }).create({
  data: readFileSync(statement),
  type: 'application/vnd.in-toto+json',
});
write('statement.sigstore.json', envelope);
const message = await new MessageSignatureBundleBuilder({ signer, witnesses: [] }).create({ data: readFileSync(artifact) });
write('message.sigstore.json', message);
