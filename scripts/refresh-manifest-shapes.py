# Prints the shape of what may stand below `spack:` in a spack.yaml, as JSON, from Spack's own JSON schemas.
#
#   spack python scripts/refresh-manifest-shapes.py > shapes.json
#
# Run it with a Spack of each generation, then give the results to scripts/refresh-manifest-shapes.mjs.
# Only what decides whether a value is accepted is kept; the notation is that of src/environment/shape.ts.
import json
import sys

import spack.schema.env

SCALARS = {"string": "text", "boolean": "boolean", "integer": "integer", "number": "number", "null": "null"}


def shape_of(schema):
    for several in ("anyOf", "oneOf"):
        if several in schema:
            rest = {key: value for key, value in schema.items() if key != several}
            return alternatives([shape_of(both(rest, each)) for each in schema[several]])
    if "allOf" in schema:
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        for each in schema["allOf"]:
            merged = both(merged, each)
        return shape_of(merged)
    if "enum" in schema:
        words = [value for value in schema["enum"] if isinstance(value, str)]
        flags = ["boolean"] if any(isinstance(value, bool) for value in schema["enum"]) else []
        return alternatives(([{"words": words}] if words else []) + flags)
    kinds = schema.get("type")
    if kinds is None:
        kinds = "object" if {"properties", "patternProperties"} & set(schema) else "anything"
    if isinstance(kinds, list):
        return alternatives([shape_of({**schema, "type": kind}) for kind in kinds])
    if kinds == "object":
        return map_of(schema)
    if kinds == "array":
        result = {"list": shape_of(schema["items"]) if "items" in schema else "anything"}
        for bound, name in (("minItems", "least"), ("maxItems", "most")):
            if bound in schema:
                result[name] = schema[bound]
        return result
    if kinds == "integer" and "minimum" in schema:
        return {"atLeast": schema["minimum"]}
    return SCALARS.get(kinds, "anything")


def both(a, b):
    """What two schemas of one value demand together."""
    merged = {**a, **b}
    if "required" in a and "required" in b:
        merged["required"] = sorted({*a["required"], *b["required"]})
    if "properties" in a and "properties" in b:
        merged["properties"] = {**a["properties"], **b["properties"]}
    return merged


def alternatives(shapes):
    distinct = []
    for shape in shapes:
        for each in shape if isinstance(shape, list) else [shape]:
            if each not in distinct:
                distinct.append(each)
    return distinct[0] if len(distinct) == 1 else distinct


def map_of(schema):
    result = {"keys": {name: shape_of(value) for name, value in schema.get("properties", {}).items()}}
    patterns = [[pattern, shape_of(value)] for pattern, value in schema.get("patternProperties", {}).items()]
    rest = schema.get("additionalProperties", True)
    if patterns:
        result["patterns"] = patterns
    if rest is not False:
        result["rest"] = shape_of(rest) if isinstance(rest, dict) else "anything"
    if schema.get("validate_spec") or schema.get("additionalKeysAreSpecs"):
        result["specs"] = True
    if schema.get("required"):
        result["required"] = sorted(schema["required"])
    refused = [
        name for old in schema.get("deprecatedProperties", []) if old.get("error") for name in old["names"]
    ]
    if refused:
        result["refused"] = sorted(refused)
    return result


sections = spack.schema.env.schema["properties"]["spack"]["properties"]
json.dump({name: shape_of(sections[name]) for name in sorted(sections)}, sys.stdout)
