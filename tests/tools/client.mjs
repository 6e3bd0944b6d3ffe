// An independent client of a node: reports a case, works it to its end, and reads the ministry's view.
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import path from 'node:path';

const env = process.env;
const options = { keepCase: true, longs: Number, enums: String, defaults: true, includeDirs: env.PROTOS.split(path.delimiter) };
const { citygrid } = grpc.loadPackageDefinition(loader.loadSync(['citygrid/node/v1/cases.proto', 'citygrid/v1/views.proto'], options));
const cases = new citygrid.node.v1.CasesService(env.CITY, grpc.credentials.createInsecure());
const views = new citygrid.v1.ViewsService(env.MINISTRY, grpc.credentials.createInsecure());

function call(client, method, request, token) {
  const metadata = new grpc.Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return new Promise((resolve, reject) => client[method](request, metadata, (error, response) => (error ? reject(error) : resolve(response))));
}

const report = await call(cases, 'Report', { request_key: 'independent-1', type: '01001', source: 'web', personal: { reporter_name: 'nobody', free_text: 'a cover is gone' } }, env.DESK);
const id = report.step.case_id;
const again = await call(cases, 'Report', { request_key: 'independent-1', type: '01001', source: 'web', personal: { reporter_name: 'nobody', free_text: 'a cover is gone' } }, env.DESK);
if (again.step.case_id !== id || !again.step.repeated) throw new Error('the same request key made another case');

const steps = [
  [{ check_before_filing: { passed: true } }, env.INSPECTOR],
  [{ file: {} }, env.DESK],
  [{ dispatch: { unit: 'roads' } }, env.DESK],
  [{ finish_handling: {} }, env.HANDLER],
  [{ check_before_closing: { passed: true } }, env.INSPECTOR],
  [{ close: {} }, env.DESK],
];
for (const [number, [step, token]] of steps.entries()) {
  await call(cases, 'Take', { case_id: id, request_key: `independent-step-${number}`, ...step }, token);
}

const stranger = await call(cases, 'Get', { case_id: id }, 'no-such-token').then(() => 'let in', (error) => grpc.status[error.code]);
if (stranger !== 'UNAUTHENTICATED') throw new Error(`a call without a token was ${stranger}`);

for (let i = 0; i < 120; i++) {
  const view = await call(views, 'Query', { measures: ['reported', 'closed'] }, env.VIEWER);
  const closed = view.rows[0]?.measures?.closed ?? 0;
  if (closed === 1) {
    console.log(`case ${id} closed at the ministry: ${closed}, as of ${view.as_of}, heard ${view.coverage.heard} of ${view.coverage.expected}`);
    process.exit(0);
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
}
throw new Error('the case did not reach the ministry');
