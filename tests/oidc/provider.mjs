// A real OpenID Connect provider on this machine: node provider.mjs GATE; ends when its input does.

import { createServer } from "node:http";
import Provider from "oidc-provider";

const [gate] = process.argv.slice(2);
const server = createServer();
await new Promise((ready) => server.listen(0, "localhost", ready));
const issuer = `http://localhost:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "moiety",
      client_secret: "a secret of the tests",
      redirect_uris: [`${gate}/oidc/back`],
      post_logout_redirect_uris: [`${gate}/sign-in`],
    },
  ],
  pkce: { methods: ["S256"], required: () => true },
});
server.on("request", provider.callback());
process.stdout.write(`${issuer}\n`);
process.stdin.on("end", () => process.exit(0)).resume();
