/** Exceptions of Python and Spack as values. */
import { NotUnderstood, PythonException } from "../python/problem.ts";
import { isObject, isSequence, native, type ObjectValue, textOf, type Value } from "./values.ts";

/** Classes of exceptions and the class above each. */
const parents: ReadonlyMap<string, string> = new Map(
  Object.entries({
    Exception: "BaseException",
    ArithmeticError: "Exception",
    ZeroDivisionError: "ArithmeticError",
    AssertionError: "Exception",
    AttributeError: "Exception",
    ImportError: "Exception",
    ModuleNotFoundError: "ImportError",
    LookupError: "Exception",
    IndexError: "LookupError",
    KeyError: "LookupError",
    NameError: "Exception",
    OSError: "Exception",
    FileNotFoundError: "OSError",
    NotADirectoryError: "OSError",
    PermissionError: "OSError",
    RuntimeError: "Exception",
    NotImplementedError: "RuntimeError",
    StopIteration: "Exception",
    TypeError: "Exception",
    ValueError: "Exception",
    UnicodeError: "ValueError",
    SpackError: "Exception",
    InstallError: "SpackError",
    NoHeadersError: "SpackError",
    NoLibrariesError: "SpackError",
    ProcessError: "SpackError",
    UnknownVariantError: "SpackError",
  }),
);

/** Other names of classes. */
const aliases: ReadonlyMap<string, string> = new Map([
  ["IOError", "OSError"],
  ["EnvironmentError", "OSError"],
]);

interface ExceptionClass extends ObjectValue {
  readonly type: "exception class";
  readonly exception: string;
}

/** The class of an exception of this name, if there is one. */
export function exceptionClass(name: string): ObjectValue | undefined {
  const exception = aliases.get(name) ?? name;
  if (exception !== "BaseException" && !parents.has(exception)) return undefined;
  const made: ExceptionClass = {
    kind: "object",
    type: "exception class",
    exception,
    equals: (other) => isExceptionClass(other) && other.exception === exception,
    text: () => exception,
    call: ({ values }) =>
      exceptionValue(new PythonException(exception, values[0] === undefined ? "" : textOf(values[0]))),
  };
  return made;
}

function isExceptionClass(value: Value): value is ExceptionClass {
  return isObject(value) && value.type === "exception class" && "exception" in value;
}

interface ExceptionValue extends ObjectValue {
  readonly exception: PythonException;
}

/** An exception as a value. */
export function exceptionValue(exception: PythonException): ObjectValue {
  const made: ExceptionValue = {
    kind: "object",
    type: exception.type,
    exception,
    text: () => exception.message,
    attribute: (name) => (name === "message" ? exception.message : undefined),
  };
  return made;
}

/** What `raise VALUE` throws. @throws NotUnderstood for what is no exception of a known class */
export function exceptionOf(value: Value | undefined): PythonException {
  if (value !== undefined && isObject(value)) {
    if (isExceptionClass(value)) return new PythonException(value.exception, value.exception);
    if ("exception" in value && value.exception instanceof PythonException)
      return new PythonException(value.exception.type, value.exception.message);
  }
  throw new NotUnderstood("what is raised");
}

/** Whether `except TYPES` catches it. @throws NotUnderstood for a class that is not known */
export function exceptionMatches(exception: PythonException, types: Value): boolean {
  if (isSequence(types)) return types.items.some((type) => exceptionMatches(exception, type));
  if (!isExceptionClass(types)) throw new NotUnderstood("the kind of exception that is caught");
  for (let type: string | undefined = exception.type; type !== undefined; type = parents.get(type))
    if (type === types.exception) return true;
  return false;
}

/** A function that raises. */
export function raising(name: string, type: string, message: string): ObjectValue {
  return native(name, () => {
    throw new PythonException(type, message);
  });
}
