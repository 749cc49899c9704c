# Prints the default values of the variants of recipes, and their licences, as JSON: what only recipes know and caches do
# not tell.
#
#   spack python scripts/export-recipe-facts.py [PACKAGE...] > recipe-facts.json
#
# Run it with the Spack (0.23 or newer) that makes the cache; without names it takes all recipes that this Spack has, which
# takes minutes. Name the file in spacktainers.yaml: `spack: { facts: recipe-facts.json }`.
import json
import sys

import spack
import spack.repo


def plain(value):
    """A default as JSON: a boolean, a text, or a list of texts."""
    if isinstance(value, (bool, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return sorted(str(each) for each in value)
    return str(value)


def default_of(variant):
    """The default value, split up where the variant takes several."""
    value = variant.default
    if isinstance(value, str) and variant.multi:
        return sorted(value.split(","))
    return plain(value)


def facts_of(package):
    """Variants of a recipe: name to definitions, in the order of the recipe."""
    found = {}
    for when, variants in package.variants.items():
        for name, variant in variants.items():
            text = "" if when is True else str(when)
            entry = {"when": text} if text else {}
            found.setdefault(name, []).append({**entry, "default": default_of(variant)})
    return {name: found[name] for name in sorted(found)}


def licenses_of(package):
    """What a recipe says of its licence: definitions, in the order of the recipe."""
    found = []
    for when, license in getattr(package, "licenses", {}).items():
        text = "" if when is True else str(when)
        found.append({**({"when": text} if text else {}), "license": str(license)})
    return found


names = sys.argv[1:] or spack.repo.PATH.all_package_names(include_virtuals=False)
lines = []
licenses = []
for name in sorted(set(names)):
    try:
        recipe = spack.repo.PATH.get_pkg_class(name)
        facts, declared = facts_of(recipe), licenses_of(recipe)
    except Exception as error:  # one broken recipe must not hide the others
        print(f"{name}: {error}", file=sys.stderr)
        continue
    if facts:
        lines.append(f"{json.dumps(name)}: {json.dumps(facts, sort_keys=True)}")
    if declared:
        licenses.append(f"{json.dumps(name)}: {json.dumps(declared, sort_keys=True)}")
meta = {"file-type": "spacktainers-recipe-facts", "version": 1, "spack": spack.__version__}
print(f'{{"_meta": {json.dumps(meta)},\n"packages": {{\n' + ",\n".join(lines) + "\n},")
print('"licenses": {\n' + ",\n".join(licenses) + "\n}}")
