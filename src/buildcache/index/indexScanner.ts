/**
 * Reads a build cache index (Spack's database format) without ever parsing it whole: one pass over the bytes of a file
 * finds where each node lies and picks up the few facts that are looked up by. Indexes of public caches have hundreds of
 * megabytes; a window of a few is in memory.
 */
import type { FileHandle } from "node:fs/promises";
import type { Place } from "../../util/errors.ts";
import {
  closeBrace,
  closeBracket,
  colon,
  comma,
  JsonWindow,
  needMore,
  openBrace,
  openBracket,
  quote,
} from "./jsonWindow.ts";

/** The node of a record. */
export interface ScannedNode {
  /** Where it is in the file, in bytes. */
  readonly offset: number;
  /** Its text, only valid during the call. */
  readonly bytes: Uint8Array;
  /** Name of the package. */
  readonly name: string;
}

/** Takes what the scanner finds. */
export interface IndexSink {
  /**
   * One record.
   *
   * @param hash the record's key, 32 bytes of ASCII (not checked)
   */
  record(hash: Uint8Array, node: ScannedNode, downloadable: boolean): void;
  /** A spec of package `name` provides the virtual package `virtual` to some other. */
  provides(virtual: string, name: string): void;
}

/** Largest single record accepted, in bytes; real ones have a few thousand. */
const maxRecordBytes = 64 * 2 ** 20;
/** Public caches have some hundred thousand; each takes forty bytes of memory and more. */
const maxRecords = 5_000_000;
const windowBytes = 4 * 2 ** 20;

/**
 * Scans an index from its beginning.
 *
 * @param place the index, for errors
 * @returns the database version: it decides the dialect of the nodes
 * @throws CACHE_INVALID when the file is not an index, is cut off, or is nested absurdly deep
 */
export async function scanIndex(file: FileHandle, sink: IndexSink, place: Place): Promise<number> {
  let buffer = Buffer.allocUnsafe(windowBytes);
  let end = 0;
  let fileOffset = 0;
  let atEnd = false;
  const scanner = new IndexScanner(sink, place);
  for (;;) {
    const consumed = scanner.run(buffer.subarray(0, end), fileOffset);
    if (scanner.done) return scanner.databaseVersion();
    if (atEnd) throw scanner.invalid("it ends too early");
    if (consumed === 0 && end === buffer.length) {
      if (buffer.length >= maxRecordBytes) throw scanner.invalid("it has an enormous record");
      const larger = Buffer.allocUnsafe(buffer.length * 2);
      buffer.copy(larger, 0, 0, end);
      buffer = larger;
    } else {
      buffer.copyWithin(0, consumed, end);
      end -= consumed;
      fileOffset += consumed;
    }
    const { bytesRead } = await file.read(buffer, end, buffer.length - end, fileOffset + end);
    atEnd = bytesRead === 0;
    end += bytesRead;
  }
}

/** Where in the document the scanner stands between two steps. */
type Level = "start" | "root" | "database" | "installs" | "done";

/**
 * Works through the document in steps (one member of the root, of the database, or one record). A step that runs into
 * the end of the window has no effect and is done again when more is there.
 */
class IndexScanner extends JsonWindow {
  private readonly sink: IndexSink;
  private level: Level = "start";
  private version: string | undefined;
  private sawInstalls = false;
  private records = 0;
  /** The next member of this level must be preceded by a comma. */
  private afterMember = false;
  /** Members of the current record. */
  private node = { start: 0, end: 0, name: "" };
  private readonly edges: { virtual: string; name: string }[] = [];

  constructor(sink: IndexSink, place: Place) {
    super(place);
    this.sink = sink;
  }

  get done(): boolean {
    return this.level === "done";
  }

  databaseVersion(): number {
    if (!this.sawInstalls) throw this.invalid("it has no list of packages");
    if (this.version === undefined || !/^[1-9]\d{0,2}$/.test(this.version))
      throw this.invalid("it has no format version");
    return Number(this.version);
  }

  /** Takes as many steps as the window allows; returns the number of bytes that are done with. */
  run(bytes: Buffer, fileOffset: number): number {
    this.bytes = bytes;
    let consumed = 0;
    try {
      while (this.level !== "done") {
        this.position = consumed;
        this.step(fileOffset);
        consumed = this.position;
      }
    } catch (thrown) {
      if (thrown !== needMore) throw thrown;
    }
    return consumed;
  }

  private step(fileOffset: number): void {
    if (this.level === "start") {
      this.expect(openBrace);
      this.enter("root");
      return;
    }
    const next = this.peek();
    if (next === closeBrace) {
      this.position++;
      this.leave();
      return;
    }
    if (this.afterMember) this.expect(comma);
    const keyStart = this.string();
    const keyEnd = this.position - 1;
    this.expect(colon);
    if (this.level === "installs") this.record(keyStart, keyEnd, fileOffset);
    else this.member(this.text(keyStart, keyEnd));
  }

  private member(key: string): void {
    if (this.level === "root" && key === "database") {
      this.expect(openBrace);
      this.enter("database");
    } else if (this.level === "database" && key === "installs") {
      this.expect(openBrace);
      this.sawInstalls = true;
      this.enter("installs");
    } else {
      const start = this.position;
      this.peek();
      this.skipValue();
      if (this.level === "database" && key === "version")
        this.version = this.bytes.toString("latin1", start, this.position).trim().replaceAll('"', "");
      this.afterMember = true;
    }
  }

  private enter(level: Level): void {
    this.level = level;
    this.afterMember = false;
  }

  private leave(): void {
    this.level = this.level === "installs" ? "database" : this.level === "database" ? "root" : "done";
    this.afterMember = true;
  }

  private record(keyStart: number, keyEnd: number, fileOffset: number): void {
    this.expect(openBrace);
    this.edges.length = 0;
    let hasNode = false;
    let downloadable = false;
    for (let first = true; this.more(closeBrace, first); first = false) {
      const start = this.string();
      const end = this.position - 1;
      this.expect(colon);
      const next = this.peek();
      if (this.is(start, end, keySpec)) {
        this.scanNode();
        hasNode = true;
      } else if (this.is(start, end, keyInBuildcache)) {
        downloadable = next === 0x74; // t of true
        this.skipValue();
      } else this.skipValue();
    }
    // A record must be followed by a comma or the end of the list: a cut file is noticed here.
    const after = this.peek();
    if (after !== comma && after !== closeBrace) throw this.invalid("it is not proper JSON");
    this.afterMember = true;
    if (++this.records > maxRecords) throw this.invalid(`it has more than ${maxRecords} packages`);
    if (!hasNode || this.node.name === "") return;
    const { start, end, name } = this.node;
    const key = this.bytes.subarray(keyStart, keyEnd);
    this.sink.record(
      key,
      { offset: fileOffset + start, bytes: this.bytes.subarray(start, end), name },
      downloadable,
    );
    for (const edge of this.edges) this.sink.provides(edge.virtual, edge.name);
  }

  /** A node dictionary: its name, and what virtual packages its dependencies provide to it. */
  private scanNode(): void {
    this.node.start = this.position;
    this.node.name = "";
    this.expect(openBrace);
    for (let first = true; this.more(closeBrace, first); first = false) {
      const start = this.string();
      const end = this.position - 1;
      this.expect(colon);
      const next = this.peek();
      if (next === quote && this.is(start, end, keyName)) this.node.name = this.stringValue();
      else if (next === openBracket && this.is(start, end, keyDependencies)) this.dependencies();
      else if (next === openBracket && this.is(start, end, keyProvided)) {
        // The name may come after: provided virtuals are reported with the node's own name, which is filled in below.
        this.virtuals("");
      } else this.skipValue();
    }
    this.node.end = this.position;
    for (const edge of this.edges) if (edge.name === "") edge.name = this.node.name;
  }

  private dependencies(): void {
    this.expect(openBracket);
    for (let first = true; this.more(closeBracket, first); first = false) {
      if (this.peek() !== openBrace) {
        this.skipValue();
        continue;
      }
      this.expect(openBrace);
      const firstEdge = this.edges.length;
      let name = "";
      for (let firstMember = true; this.more(closeBrace, firstMember); firstMember = false) {
        const start = this.string();
        const end = this.position - 1;
        this.expect(colon);
        const next = this.peek();
        if (next === quote && this.is(start, end, keyName)) name = this.stringValue();
        else if (next === openBrace && this.is(start, end, keyParameters)) this.edgeParameters();
        else this.skipValue();
      }
      for (let at = firstEdge; at < this.edges.length; at++) {
        const edge = this.edges[at];
        if (edge !== undefined) edge.name = name;
      }
    }
  }

  private edgeParameters(): void {
    this.expect(openBrace);
    for (let first = true; this.more(closeBrace, first); first = false) {
      const start = this.string();
      const end = this.position - 1;
      this.expect(colon);
      if (this.peek() === openBracket && this.is(start, end, keyVirtuals)) this.virtuals("");
      else this.skipValue();
    }
  }

  private virtuals(name: string): void {
    this.expect(openBracket);
    for (let first = true; this.more(closeBracket, first); first = false) {
      if (this.peek() !== quote) {
        this.skipValue();
        continue;
      }
      const text = this.stringValue();
      const at = text.indexOf("@");
      this.edges.push({ virtual: at < 0 ? text : text.slice(0, at), name });
    }
  }
}

const keySpec = Buffer.from("spec");
const keyInBuildcache = Buffer.from("in_buildcache");
const keyName = Buffer.from("name");
const keyDependencies = Buffer.from("dependencies");
const keyParameters = Buffer.from("parameters");
const keyVirtuals = Buffer.from("virtuals");
const keyProvided = Buffer.from("provided_virtuals");
