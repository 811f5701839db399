// Sends files with dcmjs-dimse, one association each: `node send.js PORT`, then the name of a file on each line of
// standard input; a line `done …` on standard output says what came of each.
const readline = require('readline');
const { Client, log } = require('dcmjs-dimse');
const { CStoreRequest } = require('dcmjs-dimse').requests;

log.setLevel('error');
const port = Number(process.argv[2]);

function send(file) {
  return new Promise((done) => {
    const told = [];
    const client = new Client();
    try {
      const request = new CStoreRequest(file);
      request.on('response', (response) => told.push(`status ${response.getStatus()}`));
      client.addRequest(request);
      client.on('networkError', (error) => done(`error ${error}`));
      client.on('closed', () => done(told.join(' ')));
      const patience = { connectTimeout: 10000, associationTimeout: 10000, pduTimeout: 10000 };
      client.send('127.0.0.1', port, 'DCMJS', 'MERCURE', patience);
    } catch (error) {
      done(`cannot read it: ${error}`);
    }
  });
}

process.on('uncaughtException', (error) => {
  console.log(`done, uncaught ${String(error).split('\n')[0]}`);
  process.exit(1);
});

(async () => {
  for await (const file of readline.createInterface({ input: process.stdin })) {
    console.log(`done ${(await send(file)).replace(/\n/g, ' ')}`);
  }
})();
