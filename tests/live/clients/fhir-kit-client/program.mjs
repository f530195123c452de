/** fhir-kit-client does the story: `program.mjs BASE STORY` prints an account of it as JSON. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Client } from 'fhir-kit-client';

const [base, file] = process.argv.slice(2);
const story = JSON.parse(await readFile(file));
const { version } = JSON.parse(await readFile(new URL('node_modules/fhir-kit-client/package.json', import.meta.url)));
const client = new Client({ baseUrl: base });
const resourceType = 'Patient';

assert.equal((await client.capabilityStatement()).fhirVersion, '4.0.1');

const made = await client.create({ resourceType, body: story.patient });
const { id } = made;
assert.ok(Client.httpFor(made).response.headers.get('location').endsWith(`/Patient/${id}/_history/1`));
const read = await client.read({ resourceType, id });
const updated = await client.update({ resourceType, id, body: { ...read, birthDate: story.birthDate } });
const stale = await refusal(client.update({ resourceType, id, body: read, options: { headers: { 'If-Match': 'W/"1"' } } }));
const patched = await client.patch({ resourceType, id, jsonPatch: [{ op: 'add', path: '/gender', value: 'other' }] });
assert.equal((await client.vread({ resourceType, id, version: '1' })).birthDate, undefined);
assert.equal((await client.history({ resourceType, id })).entry.length, 3);
const again = { headers: { 'If-None-Exist': `identifier=${story.patient.identifier[0].value}` } };
assert.equal((await client.create({ resourceType, body: story.patient, options: again })).id, id);
const selected = { identifier: story.patient.identifier[0].value };
const last = await client.update({ resourceType, searchParams: selected, body: { ...patched, active: true } });

const answer = await client.transaction({ body: story.transaction });
const located = answer.entry.map((entry) => entry.response.location);
const subject = located[0].split('/').slice(0, 2).join('/');
const searchParams = { patient: subject, _count: 10 };
const found = await all(await client.search({ resourceType: 'Task', searchParams }));
assert.deepEqual(await all(await client.search({ resourceType: 'Task', searchParams, options: { postSearch: true } })), found);
const within = { resourceType: 'Patient', id: subject.split('/')[1] };
assert.equal((await client.search({ resourceType: 'Goal', compartment: within })).entry.length, 1);
const [plan] = (await client.search({ resourceType: 'CarePlan', searchParams: { patient: subject } })).entry;
assert.equal((await client.resolve({ reference: plan.resource.subject.reference })).id, within.id);
const everything = await client.operation({ name: 'everything', ...within, method: 'GET', input: { _count: 100 } });
assert.deepEqual(everything.entry.map((entry) => entry.resource.resourceType).sort(), ['CarePlan', 'Goal', 'Patient']);
const asked = { method: 'GET', url: `Goal?patient=${subject}` };
const batch = await client.batch({ body: { resourceType: 'Bundle', type: 'batch', entry: [{ request: asked }] } });
assert.equal(batch.entry[0].resource.entry.length, 1);

await client.delete({ resourceType, id });
const refused = [await refusal(client.read({ resourceType, id })), await refusal(client.read({ resourceType, id: 'none' }))];
const versions = [made, updated, patched, last].map((patient) => patient.meta.versionId);
console.log(JSON.stringify({ client: `fhir-kit-client ${version}`, patient: id, versions, stale, located, found, refused }));

/** The ids on a page and on those after it. */
async function all(page) {
  const ids = page.entry.map((entry) => entry.resource.id);
  const next = await client.nextPage({ bundle: page });
  return next ? [...ids, ...(await all(next))] : ids;
}

async function refusal(asked) {
  const error = await assert.rejects(asked).then(() => asked.catch((reason) => reason));
  return [error.response.status, error.response.data.issue[0].code];
}
