/**
 * The program that watches over a build: it runs commands one after the other and, whatever happens to us, leaves no process
 * of theirs behind. In Python, which Spack needs anyway, since only Linux's own calls can do it: as the reaper of all orphans
 * below it, it sees even what has left its process group.
 *
 * Descriptor 3 is our life line: at its end (we asked for it, or are gone) everything is killed. Descriptor 4 gets one JSON
 * document a line: `{"step": NAME}` as each command begins, at the end
 * `{"status": N, "seconds": S, "memory": BYTES, "stopped": BOOL}`.
 *
 * Its argument is the task as JSON, or the absolute path of a file with it. With `report`, the path of a file that gets the
 * reports, there is no life line either: that is how it runs in a batch system. `env` replaces the environment. What a command's
 * `cleanup` says is run when it is ended from outside: it ends what is not a child of the supervisor.
 */
export const supervisorScript = `
import ctypes, json, os, select, signal, sys, time

LIFE, REPORT = 3, 4
if sys.argv[1].startswith("/"):
    with open(sys.argv[1]) as f:
        task = json.load(f)
else:
    task = json.loads(sys.argv[1])
if task.get("report"):
    LIFE, REPORT = None, os.open(task["report"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
else:
    os.set_inheritable(LIFE, False)
os.set_inheritable(REPORT, False)
if task.get("env") is not None:
    os.environ.clear()
    os.environ.update(task["env"])
page = os.sysconf("SC_PAGE_SIZE")
try:
    libc = ctypes.CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
except Exception:
    libc = None


def report(**facts):
    try:
        os.write(REPORT, (json.dumps(facts) + "\\n").encode())
    except OSError:
        pass


def processes():
    parents = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as f:
                    text = f.read()
            except OSError:
                continue
            state, parent = text[text.rindex(")") + 2:].split(" ", 2)[:2]
            if state not in "ZX":
                parents.setdefault(int(parent), []).append(int(name))
    found, queue = [], [os.getpid()]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def reap():
    ended = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def end_all(grace, linger=0):
    ended = {}
    for sign, patience in ((None, linger), (signal.SIGTERM, grace), (signal.SIGKILL, 10)):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            ended.update(reap())
            alive = processes()
            if not alive:
                return ended
            for pid in alive if sign else ():
                try:
                    os.kill(pid, sign)
                    os.kill(pid, signal.SIGCONT)
                except OSError:
                    pass
            time.sleep(0.05)
    return ended


def memory():
    total = 0
    for pid in processes():
        try:
            with open("/proc/%d/statm" % pid) as f:
                total += int(f.read().split()[1]) * page
        except (OSError, IndexError):
            pass
    return total


def start(argv, log):
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        if libc is not None:
            libc.prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        signal.set_wakeup_fd(-1)
        for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(one, signal.SIG_DFL)
        out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.execvp(argv[0], argv)
    except BaseException as error:
        os.write(2, ("%s: %s\\n" % (argv[0], error)).encode())
        os._exit(127)


def clean_up(step):
    if not step.get("cleanup"):
        return
    pid = start(step["cleanup"], os.devnull)
    end = time.monotonic() + 60
    while time.monotonic() < end and pid not in reap():
        time.sleep(0.05)


wake_read, wake_write = os.pipe()
for end in (wake_read, wake_write):
    os.set_blocking(end, False)
signal.set_wakeup_fd(wake_write)
stop = []
for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(one, lambda *_: stop.append(True))
signal.signal(signal.SIGCHLD, lambda *_: None)

begun, peak, status = time.monotonic(), 0, 0
for step in task["steps"]:
    report(step=step["name"])
    child, result, sampled = start(step["argv"], task["log"]), None, 0
    while result is None:
        ended = reap()
        if child in ended:
            result = ended[child]
            break
        ready = select.select([wake_read] if LIFE is None else [LIFE, wake_read], [], [], 1)[0]
        if wake_read in ready:
            os.read(wake_read, 4096)
        if LIFE is not None and LIFE in ready and os.read(LIFE, 1) == b"":
            stop.append(True)
        if stop:
            clean_up(step)
            end_all(task["grace"])
            report(status=143, seconds=time.monotonic() - begun, memory=peak, stopped=True)
            sys.exit(143)
        if time.monotonic() - sampled >= 1:
            sampled = time.monotonic()
            peak = max(peak, memory())
    status = os.WEXITSTATUS(result) if os.WIFEXITED(result) else 128 + os.WTERMSIG(result)
    if status > 124:
        clean_up(step)
    end_all(2, step.get("linger", 0))
    if status:
        break
report(status=status, seconds=time.monotonic() - begun, memory=peak, stopped=False)
sys.exit(status)
`;
