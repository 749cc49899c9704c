/** What can go wrong between us and a server, in words for people, and whether trying again may help. */
import { SpacktainersError } from "../util/errors.ts";
import { redactUrl } from "../util/redact.ts";
import { interruption, parseRetryAfter, TransientFailure } from "./retry.ts";

const connectionFailures: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "the connection was reset",
  EPIPE: "the connection was closed",
  ETIMEDOUT: "the connection timed out",
  EHOSTUNREACH: "the host is unreachable",
  ENETUNREACH: "the network is unreachable",
  EAI_AGAIN: "the host name could not be resolved for now",
  UND_ERR_CONNECT_TIMEOUT: "the connection timed out",
  UND_ERR_HEADERS_TIMEOUT: "the server did not answer in time",
  UND_ERR_BODY_TIMEOUT: "the server stopped sending",
  UND_ERR_SOCKET: "the connection was closed",
  UND_ERR_CLOSED: "the connection was closed",
  UND_ERR_ABORTED: "the connection was aborted",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the server sent a body of another length than it announced",
  UND_ERR_HEADERS_OVERFLOW: "the server sends more headers than any real one",
  UND_ERR_PRX_TLS: "no secure connection to the proxy",
};

/** No server was found at the address: other requests to it will not find one either. */
const noConnection = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

/** What to do about a server that cannot be reached. */
export const unreachable =
  "check the address, the network and the server; finished downloads are kept; run the same command again to continue";

/** What to do about an answer that no cache or archive gives. */
export const strangeAnswer =
  "something else may answer in the server's place, such as a proxy or a login page; check the address";

const certificateFailure = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/;

const notTls =
  /^(EPROTO$|ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL)$)/;

/**
 * Turns what the transport threw into a {@link TransientFailure} (worth another attempt) or a final error.
 *
 * @param url where the request went; credentials and query are removed from the message
 */
export function transportFailure(
  thrown: unknown,
  url: string,
  signal: AbortSignal | undefined,
): TransientFailure | SpacktainersError {
  if (thrown instanceof TransientFailure || thrown instanceof SpacktainersError) return thrown;
  if (signal?.aborted) return interruption(signal, url);
  const place = { url: redactUrl(url) };
  const code = systemCode(thrown);
  const host = hostOf(url);
  if (code === "UND_ERR_DESTROYED")
    return new SpacktainersError("INTERRUPTED", `${host}: this program closed the connection`, { place });
  if (code === "ENOTFOUND")
    return new SpacktainersError("NETWORK", `there is no host named ${unknownHost(thrown) ?? host}`, {
      place,
      hint: "check the address and this machine's network",
      cause: thrown,
    });
  if (certificateFailure.test(code)) {
    const message = `no secure connection to ${host}: its certificate is not accepted (${code})`;
    const hint = "if your site issued the certificate, name its authority with NODE_EXTRA_CA_CERTS";
    return new SpacktainersError("NETWORK", message, { place, hint, cause: thrown });
  }
  if (notTls.test(code))
    return new SpacktainersError(
      "NETWORK",
      `no secure connection to ${host}: it does not speak TLS (${code})`,
      {
        place,
        hint: "to use a server without TLS, write http:// where that is allowed",
        cause: thrown,
      },
    );
  const words = connectionFailures[code] ?? (code.startsWith("HPE_") ? "the server does not speak HTTP" : "");
  const reason = words !== "" ? words : code !== "" ? code : "the request failed";
  return new TransientFailure(
    new SpacktainersError("NETWORK", `${host}: ${reason}`, { place, hint: unreachable, cause: thrown }),
    undefined,
    noConnection.has(code) ? { host, refused: code === "ECONNREFUSED" } : undefined,
  );
}

/** The error (or passing failure) that an HTTP status stands for; undefined for 2xx and those callers know: 304, 404, 410, 416. */
export function statusFailure(
  status: number,
  url: string,
  retryAfter: string | undefined,
): TransientFailure | SpacktainersError | undefined {
  if ((status >= 200 && status < 300) || [304, 404, 410, 416].includes(status)) return undefined;
  const place = { url: redactUrl(url) };
  const host = hostOf(url);
  if (status === 401 || status === 403) {
    return new SpacktainersError("ACCESS_DENIED", `${host} refuses access (HTTP ${status})`, {
      place,
      hint: status === 401 ? "credentials are needed" : "the credentials, if any, are not sufficient",
    });
  }
  if (status === 407)
    return new SpacktainersError("ACCESS_DENIED", "the proxy asks for credentials (HTTP 407)", {
      place,
      hint: "put them into the proxy's URL: http_proxy=http://user:password@host:port",
    });
  const final = new SpacktainersError("NETWORK", `${host} answered with HTTP status ${status}`, {
    place,
    hint: status >= 500 || status === 429 ? unreachable : strangeAnswer,
  });
  const passing = status === 408 || status === 425 || status === 429 || (status >= 500 && status !== 501);
  return passing ? new TransientFailure(final, parseRetryAfter(retryAfter, Date.now())) : final;
}

/** The error for something that is not there. */
export function notFound(url: string): SpacktainersError {
  return new SpacktainersError("NOT_FOUND", "there is no such file on the server", {
    place: { url: redactUrl(url) },
    hint: "the reference may be out of date, or someone is replacing the file at this moment: try again in a minute",
  });
}

/** `host:port` of a URL for messages; the redacted text itself when it is no URL. */
export function hostOf(url: string): string {
  if (!URL.canParse(url)) return redactUrl(url);
  const { protocol, host } = new URL(url);
  // What stands there is the bucket; its server is elsewhere.
  return protocol === "s3:" ? `the S3 server of ${host}` : host;
}

/** The name that could not be resolved, as the system says it. */
function unknownHost(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    const name = /ENOTFOUND ([A-Za-z0-9._-]{1,253})/.exec(error.message)?.[1];
    if (name !== undefined) return name;
  }
  return undefined;
}

function systemCode(thrown: unknown): string {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth++) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === "string") return code;
    if (error instanceof AggregateError && error.errors.length > 0) return systemCode(error.errors[0]);
  }
  return "";
}
