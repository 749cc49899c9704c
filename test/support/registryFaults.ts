/** What registries do wrong, for {@link FakeRegistry.fault}. */
import { type Fault, refuse } from "./fakeRegistry.ts";

/** An answer of another status. */
export function status(code: number, headers: Record<string, string> = {}, body = ""): Fault {
  return ({ response, request }) => {
    request.resume();
    response.writeHead(code, headers).end(body);
    return true;
  };
}

/** A refusal with the registry's own words. */
export function refusal(code: number, name: string, message: string): Fault {
  return ({ response, request }) => {
    request.resume();
    return refuse(response, code, name, message);
  };
}

/** The connection is reset before there is an answer. */
export const reset: Fault = ({ request }) => {
  request.socket.resetAndDestroy();
  return true;
};

/** Of an upload so many bytes arrive, then the connection is reset. */
export function resetUploadAfter(bytes: number): Fault {
  return ({ request, response, url, registry }) =>
    new Promise((resolve) => {
      const parts = registry.uploads.get(url.pathname.split("/").at(-1) ?? "") ?? [];
      let left = bytes;
      request.on("data", (chunk: Buffer) => {
        if (left <= 0) return;
        parts.push(chunk.subarray(0, left));
        left -= chunk.length;
        if (left > 0) return;
        if (!registry.behaviour.keepsParts) registry.uploads.delete(url.pathname.split("/").at(-1) ?? "");
        response.socket?.resetAndDestroy();
        resolve(true);
      });
    });
}

/** The upload is done, but the answer never comes. */
export const loseAnswer: Fault = ({ request, response }) => {
  response.end = () => {
    request.socket.resetAndDestroy();
    return response;
  };
  return false;
};

/** A body of these bytes instead of what is there, with the headers given. */
export function body(bytes: Buffer, headers: Record<string, string | number> = {}): Fault {
  return ({ response }) => {
    response.writeHead(200, { "content-length": bytes.length, ...headers }).end(bytes);
    return true;
  };
}

/** Bytes without end. */
export function endless(headers: Record<string, string> = {}, code = 200): Fault {
  return ({ response }) => {
    response.writeHead(code, headers);
    const piece = Buffer.alloc(65_536, "a");
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
    };
    response.on("drain", more).on("error", () => {});
    more();
    return true;
  };
}

/** So many bytes of what is there, then the connection is reset. */
export function cutAfter(bytes: number): Fault {
  return ({ response, url, registry }) => {
    const digest = url.pathname.split("/").at(-1) ?? "";
    const content = [...registry.blobs.values()]
      .map((all) => all.get(digest))
      .find((one) => one !== undefined);
    response.writeHead(200, { "content-length": content?.length ?? 0 });
    response.write(content?.subarray(0, bytes), () =>
      setTimeout(() => response.socket?.resetAndDestroy(), 5),
    );
    return true;
  };
}

/** A redirect. */
export function redirect(to: string, code = 307): Fault {
  return status(code, { location: to });
}
