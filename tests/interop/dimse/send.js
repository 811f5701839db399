// Sends files with dcmjs-dimse, one association each: `node send.js PORT`, then the name of a file on each line of
// standard input; a line on standard output says that it is done with one.
const readline = require('readline');
const { Client, log } = require('dcmjs-dimse');
const { CStoreRequest } = require('dcmjs-dimse').requests;

log.level = 'error';
const port = Number(process.argv[2]);

function send(file) {
  return new Promise((done) => {
    const told = [];
    const client = new Client();
    try {
      const request = new CStoreRequest(file);
      request.on('response', (response) => told.push(`status ${response.getStatus()}`));
      client.addRequest(request);
      client.on('networkError', (error) => told.push(`error ${error}`));
      client.on('closed', () => done(told.join(' ')));
      client.send('127.0.0.1', port, 'DCMJS', 'MERCURE', { connectTimeout: 10000, associationTimeout: 10000, pduTimeout: 10000 });
    } catch (error) {
      done(`cannot read it: ${error}`);
    }
  });
}

process.on('uncaughtException', (error) => {
  console.log(`uncaught ${String(error).split('\n')[0]}`);
  process.exit(1);
});

(async () => {
  for await (const file of readline.createInterface({ input: process.stdin })) {
    console.log((await send(file)).replace(/\n/g, ' '));
  }
})();
