"""Stands in for Spack 1.x where tests need none of its solver and no compiler: the commands that Spacktainers uses, with their
arguments, words, files and exit statuses. What packages there are is in recipes.json beside repo.yaml.

Of a recipe: `versions`, newest first; `build`, `link`, `run`: names of packages; `seconds` a phase takes; `fail`: {phase, file}: that
phase fails while the file is there; `hang`: {phase, file}: that phase waits while the file is there, with a process that has left its
session; `external`: a prefix. What is developed ends with the file `main` of its folder.
"""

import base64
import fcntl
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time

PHASES = ["configure", "build", "install"]


def die(text, status=1):
    print("==> Error: " + text, file=sys.stderr, flush=True)
    sys.exit(status)


def say(text):
    print(text, flush=True)


class World:
    """The environment, and the scope it includes."""

    def __init__(self, folder):
        self.folder = folder
        self.path = os.path.join(folder, "spack.yaml")
        with open(self.path) as f:
            self.text = f.read()
        scope = re.findall(r"(\S*/scope-[0-9a-f]+)", self.text)
        self.repos, self.target, self.mirrors = [], "x86_64", {}
        if scope:
            self.repos = list(read_json(scope[-1] + "/repos.yaml")["repos:"].values())
            self.target = read_json(scope[-1] + "/packages.yaml")["packages"]["all"]["target"][0]
        elif self.text.startswith("{"):
            self.repos = list(json.loads(self.text)["spack"]["repos:"].values())
        for name, url in re.findall(r"^ {4}(caches|spacktainers):\n {6}url: file://(\S+)", self.text, re.M):
            self.mirrors[name] = url
        self.develop = dict(re.findall(r"^ {4}(\S+):\n {6}spec: \S+\n {6}path: (\S+)", self.text, re.M))
        root = re.search(r"^ *root: (\S+)", self.text, re.M)
        padded = re.search(r"^ *padded_length: (\d+)", self.text, re.M)
        self.root = pad(root.group(1), int(padded.group(1)) if padded else 0) if root else None
        self.recipes = {}
        for repo in reversed(self.repos):
            namespace = re.search(r"namespace: (\S+)", open(repo + "/repo.yaml").read()).group(1)
            for name, recipe in read_json(repo + "/recipes.json").items():
                self.recipes[name] = dict(recipe, namespace=namespace)

    def specs(self):
        inline = re.search(r"^  specs: *\[(.*)\]", self.text, re.M)
        if inline:
            return [word.strip().strip("'\"") for word in inline.group(1).split(",") if word.strip()]
        block = re.search(r"^  specs:\n((?: +- .*\n?)*)", self.text, re.M)
        return [line.strip()[2:].strip("'\"") for line in (block.group(1).splitlines() if block else [])]

    def lock(self):
        return read_json(os.path.join(self.folder, "spack.lock"))["concrete_specs"]

    def prefix(self, node):
        if "external" in node:
            return node["external"]["path"]
        name = "%s-%s-%s" % (node["name"], node["version"], node["hash"])
        return os.path.join(self.root, "linux-" + self.target, name)


def read_json(path):
    with open(path) as f:
        return json.load(f)


def pad(root, length):
    if not length:
        return root
    full = root + "/__spack_path_placeholder__" * (length // 20 + 1)
    full = full[:length]
    return full[:-1] + "_" if full.endswith("/") else full


def hash_of(node):
    digest = hashlib.sha1(json.dumps(node, sort_keys=True).encode()).digest()
    return base64.b32encode(digest).decode().lower()


# concretize


def concretize(world, args):
    roots, nodes, cached = [], {}, {}
    if "caches" in world.mirrors and "--fresh" not in args:
        mirror = world.mirrors["caches"]
        manifest = read_json(mirror + "/v3/manifests/index/index.manifest.json")
        hex = manifest["data"][0]["checksum"]
        for hash, record in read_json("%s/blobs/sha256/%s/%s" % (mirror, hex[:2], hex))["database"]["installs"].items():
            cached[hash] = record

    def reuse(hash):
        nodes[hash] = cached[hash]["spec"]
        for edge in nodes[hash].get("dependencies", []):
            reuse(edge["hash"])
        return hash

    def choose(name, version, asked):
        for hash, record in sorted(cached.items()):
            spec = record["spec"]
            if record["in_buildcache"] and spec["name"] == name and version in (None, spec["version"]):
                return reuse(hash)
        recipe = world.recipes.get(name)
        if recipe is None:
            die("failed to concretize `%s` for the following reasons:\n     1. cannot find '%s'\n        required because %s requested explicitly" % (asked, name, asked))
        versions = recipe.get("versions", ["1.0"])
        if version is not None and version not in versions:
            die("failed to concretize `%s` for the following reasons:\n     1. Cannot satisfy '%s@%s'\n        required because %s requested explicitly" % (asked, name, version, asked))
        edges = {}
        for kind in ("build", "link", "run"):
            for dependency in recipe.get(kind, []):
                edges.setdefault(dependency, []).append(kind)
        node = {
            "name": name,
            "version": version or versions[0],
            "arch": {"platform": "linux", "platform_os": "debian12", "target": world.target},
            "namespace": recipe["namespace"],
            "parameters": {flag: [] for flag in ("cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs")},
            "package_hash": hash_of(recipe) + "a" * 20 + "====",
            "dependencies": [
                {"name": other, "hash": choose(other, None, asked), "parameters": {"deptypes": kinds, "virtuals": []}}
                for other, kinds in sorted(edges.items())
            ],
            "annotations": {"original_specfile_version": 5},
        }
        if name in world.develop:
            node["parameters"]["dev_path"] = world.develop[name]
        if "external" in recipe:
            node["external"] = {"path": recipe["external"], "module": None, "extra_attributes": {}}
        node["hash"] = hash_of(node)
        nodes[node["hash"]] = node
        return node["hash"]

    for spec in world.specs():
        name, _, version = spec.split()[0].partition("@")
        roots.append({"hash": choose(name, version or None, spec), "spec": spec})
    document = {
        "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5},
        "spack": {"version": "1.1.0", "type": "git", "commit": "0" * 40},
        "roots": roots,
        "concrete_specs": nodes,
    }
    with open(os.path.join(world.folder, "spack.lock"), "w") as f:
        json.dump(document, f)
    say("==> Concretized %d specs:" % len(roots))


# install


def is_installed(world, node):
    return "external" in node or os.path.exists(os.path.join(world.prefix(node), ".spack", "spec.json"))


def from_mirror(world, nodes, node):
    """Takes a package from the mirror, with all it needs to run."""
    for edge in node.get("dependencies", []):
        if {"link", "run"} & set(edge["parameters"]["deptypes"]):
            provide(world, nodes, nodes[edge["hash"]])
    mirror = world.mirrors.get("spacktainers")
    name = "%s-%s-%s" % (node["name"], node["version"], node["hash"])
    manifest = "%s/v3/manifests/spec/%s/%s.spec.manifest.json" % (mirror, node["name"], name)
    if mirror is None or not os.path.exists(manifest):
        die("No binary found for %s when cache-only was specified" % name)
    hex = read_json(manifest)["data"][0]["checksum"]
    blob = "%s/blobs/sha256/%s/%s" % (mirror, hex[:2], hex)
    if hashlib.sha256(open(blob, "rb").read()).hexdigest() != hex:
        die("the archive of %s is damaged" % name)
    prefix = world.prefix(node)
    with tarfile.open(blob, "r:gz") as archive:
        members = archive.getmembers()
        inside = os.path.dirname(os.path.dirname(min((m.name for m in members if m.name.endswith(".spack/binary_distribution")), key=len)))
        for member in members:
            if member.name == inside or not member.name.startswith(inside + "/"):
                continue
            member.name = member.name[len(inside) + 1:]
            archive.extract(member, prefix, set_attrs=False)
    with open(prefix + "/.spack/spec.json", "w") as f:
        json.dump(node, f)
    say("==> Extracting %s from binary cache" % name)


def provide(world, nodes, node):
    os.makedirs(world.root, exist_ok=True)
    with open(os.path.join(world.root, ".lock-" + node["hash"]), "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if not is_installed(world, node):
            from_mirror(world, nodes, node)


def phase_of(recipe, node, phase):
    say("==> %s: Executing phase: '%s'" % (node["name"], phase))
    say("cc -c %s.c" % node["name"])
    time.sleep(recipe.get("seconds", 0))
    hang = recipe.get("hang")
    if hang and hang["phase"] == phase and os.path.exists(hang["file"]):
        child = subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
        say("hanging pid %d" % child.pid)
        while os.path.exists(hang["file"]):
            time.sleep(0.1)
        child.kill()
    fail = recipe.get("fail")
    if fail and fail["phase"] == phase and os.path.exists(fail["file"]):
        say("%s.c:3:5: error: expected ';' before 'return'" % node["name"])
        say("make: *** [Makefile:2: all] Error 1")
        die("ProcessError: Command exited with status 2:\n    'make'")


def install(world, args):
    hash = next(arg[1:] for arg in args if arg.startswith("/"))
    until = next((arg.split("=")[1] for arg in args if arg.startswith("--until=")), None)
    nodes = world.lock()
    node = nodes[hash]
    recipe = world.recipes[node["name"]]
    for edge in node.get("dependencies", []):
        provide(world, nodes, nodes[edge["hash"]])
    name = "%s-%s-%s" % (node["name"], node["version"], hash)
    prefix = world.prefix(node)
    os.makedirs(world.root, exist_ok=True)
    with open(os.path.join(world.root, ".lock-" + hash), "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if is_installed(world, node) and "--overwrite" not in args:
            say("[+] " + prefix)
            return
        say("==> Installing %s [1/1]" % name)
        stage = os.path.join(re.search(r"build_stage:\"?:\n +- (\S+)", world.text).group(1), "spack-stage-" + name)
        os.makedirs(stage + "/spack-src", exist_ok=True)
        shutil.rmtree(prefix, ignore_errors=True)
        for phase in PHASES:
            phase_of(recipe, node, phase)
            if phase == until:
                say("==> Stopping at '%s'" % phase)
                return
        os.makedirs(prefix + "/bin")
        os.makedirs(prefix + "/share")
        os.makedirs(prefix + "/.spack")
        with open(prefix + "/bin/" + node["name"], "w") as f:
            f.write("#!/bin/sh\necho %s %s of %s\n" % (node["name"], node["version"], prefix))
            if "dev_path" in node["parameters"]:
                f.write(open(node["parameters"]["dev_path"] + "/main").read())
        os.chmod(prefix + "/bin/" + node["name"], 0o755)
        with open(prefix + "/share/%s.txt" % node["name"], "w") as f:
            f.write("".join("%s\n" % world.prefix(nodes[edge["hash"]]) for edge in node.get("dependencies", [])))
        with open(prefix + "/.spack/install_times.json", "w") as f:
            json.dump({"total": 1.5, "phases": [], "name": node["name"], "cache": False, "hash": hash}, f)
        with open(prefix + "/.spack/spec.json", "w") as f:
            json.dump(node, f)
        shutil.rmtree(stage)
        say("==> %s: Successfully installed %s" % (node["name"], name))
        say("[+] " + prefix)


# buildcache


def push(world, args):
    cache, hash = args[-2], args[-1][1:]
    nodes = world.lock()
    node = nodes[hash]
    if not is_installed(world, node):
        die("%s is not installed" % hash)
    prefix = world.prefix(node)
    closure, queue = {}, [hash]
    while queue:
        each = queue.pop()
        if each not in closure:
            closure[each] = nodes[each]
            queue += [edge["hash"] for edge in nodes[each].get("dependencies", [])]
    own = [world.prefix(one) for one in closure.values() if "external" not in one]
    texts = []
    for folder, _, files in os.walk(prefix):
        for file in files:
            path = os.path.join(folder, file)
            if os.path.relpath(path, prefix).startswith(".spack"):
                continue
            if any(other.encode() in open(path, "rb").read() for other in own):
                texts.append(os.path.relpath(path, prefix))
    info = {
        "sbang_install_path": world.root + "/bin/sbang",
        "buildpath": world.root,
        "spackprefix": "/spack",
        "relative_prefix": os.path.relpath(prefix, world.root),
        "relocate_textfiles": sorted(texts),
        "relocate_binaries": [],
        "relocate_links": [],
        "hardlinks_deduped": True,
        "hash_to_prefix": {one["hash"]: world.prefix(one) for one in closure.values() if "external" not in one},
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(name, data=None, mode=0o755):
            member = tarfile.TarInfo(name)
            member.mode = mode
            if data is None:
                member.type = tarfile.DIRTYPE
                tar.addfile(member)
            else:
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))

        parts = prefix[1:].split("/")
        for count in range(1, len(parts)):
            add("/".join(parts[:count]))
        for folder, folders, files in os.walk(prefix):
            folders.sort()
            add(folder[1:])
            for file in sorted(files):
                path = os.path.join(folder, file)
                add(path[1:], open(path, "rb").read(), 0o755 if os.access(path, os.X_OK) and "/bin/" in path else 0o644)
        add(prefix[1:] + "/.spack/binary_distribution", json.dumps(info).encode(), 0o644)
    packed = gzip.compress(archive.getvalue(), 6, mtime=0)
    others = [one for key, one in closure.items() if key != hash]
    document = {"spec": {"_meta": {"version": 5}, "nodes": [node] + others}, "buildcache_layout_version": 2}
    metadata = gzip.compress(json.dumps(document).encode(), 6, mtime=0)
    records = []
    for data, media in ((packed, "application/vnd.spack.install.v2.tar+gzip"), (metadata, "application/vnd.spack.spec.v5+json")):
        hex = hashlib.sha256(data).hexdigest()
        write("%s/blobs/sha256/%s/%s" % (cache, hex[:2], hex), data)
        records.append({"contentLength": len(data), "mediaType": media, "compression": "gzip", "checksumAlgorithm": "sha256", "checksum": hex})
    name = "%s-%s-%s" % (node["name"], node["version"], hash)
    say("==> Pushed %s to %s" % (name, cache))
    write("%s/v3/layout.json" % cache, b'{"signing": "gpg"}')
    write("%s/v3/manifests/spec/%s/%s.spec.manifest.json" % (cache, node["name"], name), json.dumps({"version": 3, "data": records}).encode())


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open("%s.%d" % (path, os.getpid()), "wb") as f:
        f.write(data)
    os.rename("%s.%d" % (path, os.getpid()), path)


# the machine


def find_on_machine(world, names):
    document = json.loads(world.text)
    packages = document["spack"].setdefault("packages", {})
    for name in names:
        if name == "gcc":
            attributes = {"compilers": {"c": "/usr/bin/gcc", "cxx": "/usr/bin/g++"}}
            packages["gcc"] = {"externals": [{"spec": "gcc@12.2.0 languages:='c,c++'", "prefix": "/usr", "extra_attributes": attributes}]}
        elif name in ("cmake", "perl"):
            packages[name] = {"externals": [{"spec": name + "@3.25.1", "prefix": "/usr"}]}
    with open(world.path, "w") as f:
        json.dump(document, f)


def main(args):
    here = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    # In a builder image what it is made of can only be read.
    log = here if os.access(here, os.W_OK) else os.environ["TMPDIR"]
    with open(os.path.join(log, "commands.jsonl"), "a") as f:
        f.write(json.dumps(args) + "\n")
    if args[:1] == ["-C"]:
        say("stand-in for Spack: %s" % " ".join(args[2:]))
        return 7 if args[2:3] == ["fail"] else 0
    if args[:1] != ["-e"]:
        die("the stand-in wants -e or -C", 2)
    world, command, rest = World(args[1]), args[2], args[3:]
    if command == "compiler":
        find_on_machine(world, ["gcc"])
    elif command == "external":
        find_on_machine(world, rest[1:])
    elif command == "concretize":
        concretize(world, rest)
    elif command == "install":
        install(world, rest)
    elif command == "buildcache" and rest[0] == "push":
        push(world, rest[1:])
    elif command == "find":
        for node in world.lock().values():
            if "external" not in node and is_installed(world, node):
                say("%s@%s" % (node["name"], node["version"]))
    elif command == "spec":
        say(" ".join(rest))
    elif command == "build-env":
        at = rest.index("--")
        return subprocess.call(rest[at + 1:], env=dict(os.environ, SPACK_BUILD_OF=rest[0]))
    else:
        die("the stand-in does not know %s" % command, 2)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
