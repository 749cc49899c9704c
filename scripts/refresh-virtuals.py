# Prints what Spack's builtin recipes provide, as JSON: {"package": [["virtual", "condition"], ...]}.
#
#   spack python scripts/refresh-virtuals.py > providers.json
#
# Run it with a Spack of each generation, then give the results to scripts/refresh-virtuals.mjs.
import json
import sys

import spack.repo

builtin = next(repo for repo in spack.repo.PATH.repos if repo.namespace == "builtin")
providers = {}
for name in sorted(builtin.all_package_names(include_virtuals=False)):
    provided = [
        [str(virtual), str(when)]
        for when, virtuals in builtin.get_pkg_class(name).provided.items()
        for virtual in virtuals
    ]
    if provided:
        providers[name] = sorted(provided)
json.dump(providers, sys.stdout)
