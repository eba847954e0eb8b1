import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { limits } from "../base/index.ts";
import { Upnp } from "./upnp.ts";
import { locationIn, serviceIn } from "./upnp-messages.ts";

const OPTIONS = { timeout: 60_000 };
const TYPE = "urn:schemas-upnp-org:service:WANIPConnection:1";

function described(controlUrl: string, base = ""): string {
  const other = "<service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType><controlURL>/l3</controlURL></service>";
  return `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">${base}<device><serviceList>${other}</serviceList><deviceList><device>
    <serviceList><service><serviceType>${TYPE}</serviceType><controlURL>${controlUrl}</controlURL></service></serviceList></device></deviceList></device></root>`;
}

function answered(action: string, inner = ""): string {
  return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:${action}Response xmlns:u="${TYPE}">${inner}</u:${action}Response></s:Body></s:Envelope>`;
}

function refused(code: number): string {
  return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>${code}</errorCode></UPnPError></detail></s:Fault></s:Body></s:Envelope>`;
}

/** A router at an address of loopback of its own: what it was asked to do, as `action argument=value …`, and who asks. */
async function router(
  t: TestContext,
  host: string,
  answer: (action: string, asked: string) => string,
): Promise<{ asked: string[]; upnp: Upnp }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const action = /#(\w+)"$/.exec(String(request.headers.soapaction))?.[1];
    if (action === undefined) return void response.end(request.method === "GET" ? described("/control") : "");
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      const args = [...body.matchAll(/<(New\w+)>([^<]*)</g)].map(([, name, value]) => `${name}=${value}`);
      const question = [action, ...args].join(" ");
      asked.push(question);
      const text = answer(action, question);
      response.writeHead(text.includes("UPnPError") ? 500 : 200).end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const socket = createSocket("udp4");
  socket.on("message", (question, from) => {
    assert.match(question.toString(), /^M-SEARCH \* HTTP\/1\.1\r\nHOST: [\d.]+:\d+\r\nMAN: "ssdp:discover"\r\n/);
    const location = `http://${host}:${(server.address() as AddressInfo).port}/description.xml`;
    socket.send(`HTTP/1.1 200 OK\r\nST: x\r\nLocation: ${location}\r\n\r\n`, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, host, resolve));
  t.after(() => {
    socket.close();
    server.close();
    server.closeAllConnections();
  });
  return { asked, upnp: new Upnp({ group: undefined, port: socket.address().port }) };
}

test("a port is mapped, and given back", OPTIONS, async (t) => {
  const { asked, upnp } = await router(t, "127.0.10.1", (action) =>
    answered(action, action === "GetExternalIPAddress" ? "<NewExternalIPAddress>192.0.2.7</NewExternalIPAddress>" : ""),
  );
  assert.equal(await upnp.externalAddress("127.0.10.1"), "192.0.2.7");
  assert.deepEqual(await upnp.mapPort("127.0.10.1", 4711, 7_200), { externalPort: 4711, lifetimeS: 7_200 });
  await upnp.mapPort("127.0.10.1", 4711, 0);
  const where = "NewRemoteHost= NewExternalPort=4711 NewProtocol=TCP";
  assert.deepEqual(asked, [
    "GetExternalIPAddress",
    `AddPortMapping ${where} NewInternalPort=4711 NewInternalClient=127.0.0.1 NewEnabled=1 NewPortMappingDescription=cairn NewLeaseDuration=7200`,
    `DeletePortMapping ${where}`,
  ]);
});

test("where the port is taken another is asked for, which is given back; where leases are unknown one without end", OPTIONS, async (t) => {
  const { asked, upnp } = await router(t, "127.0.10.2", (action, question) => {
    if (question.includes("NewExternalPort=4711 ")) return refused(718);
    return question.endsWith("NewLeaseDuration=7200") ? refused(725) : answered(action);
  });
  const { externalPort } = await upnp.mapPort("127.0.10.2", 4711, 7_200);
  assert.ok(externalPort >= 49_152);
  await upnp.mapPort("127.0.10.2", 4711, 0);
  assert.match(asked.at(-2) ?? "", /NewLeaseDuration=0$/);
  assert.ok(asked.at(-1)?.startsWith(`DeletePortMapping NewRemoteHost= NewExternalPort=${externalPort} `));
});

test("a router that refuses says why; one that answers with something else, or with too much, is of no use", OPTIONS, async (t) => {
  const answers = [refused(606), "<html>hello</html>", "<not closed", `<a>${"x".repeat(limits.mapDescriptionBytes)}</a>`, refused(718)];
  const { asked, upnp } = await router(t, "127.0.10.3", () => answers[0] ?? "");
  const wanted = [/does not allow it/, /cannot be read/, /cannot be read/, /bytes of a router/, /the port is taken/];
  for (const why of wanted) {
    await assert.rejects(upnp.mapPort("127.0.10.3", 4711, 7_200), (error: { facts: object }) => why.test(JSON.stringify(error.facts)));
    answers.shift();
  }
  assert.equal(asked.length, 4 + 4, "other ports are tried, and not for ever");
});

test("descriptions and services are taken from the router itself alone", () => {
  const found = (location: string): string | undefined =>
    locationIn(Buffer.from(`HTTP/1.1 200 OK\r\nLOCATION: ${location}\r\n\r\n`), "192.168.1.1")?.href;
  assert.equal(found("http://192.168.1.1:5000/root.xml"), "http://192.168.1.1:5000/root.xml");
  for (const other of [
    "http://192.168.1.2/x",
    "https://192.168.1.1/x",
    "http://u@192.168.1.1/x",
    "file:///etc/passwd",
    "/root.xml",
    "http://",
  ])
    assert.equal(found(other), undefined, other);
  assert.equal(locationIn(Buffer.from("NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1/x\r\n\r\n"), "192.168.1.1"), undefined);

  const location = new URL("http://192.168.1.1:5000/root.xml");
  const control = (text: string): string | undefined => serviceIn(text, location, "192.168.1.1")?.control.href;
  assert.equal(control(described("ctl/IPConn")), "http://192.168.1.1:5000/ctl/IPConn");
  assert.equal(control(described("/c", "<URLBase>http://192.168.1.1:80/</URLBase>")), "http://192.168.1.1/c");
  assert.equal(control(described("http://127.0.0.1:80/c")), undefined);
  assert.equal(control(described("/c", "<URLBase>http://10.0.0.1/</URLBase>")), undefined);
  assert.equal(control("<root></root>"), undefined);
  assert.throws(() => control('<!DOCTYPE a [<!ENTITY b "c">]><root>&b;</root>'), { code: "peer-absent" });
});
