"""Says what maintainer scripts made of the system that it stands on."""

import pwd

with open("/etc/ssl/certs/ca-certificates.crt", encoding="ascii") as bundle:
    authorities = bundle.read().count("BEGIN CERTIFICATE")
with open("/var/lib/dpkg/status", encoding="utf-8") as status:
    packages = [line for line in status if line.startswith("Status: ")]
installed = packages.count("Status: install ok installed\n")
print(f"{authorities > 100}, {installed == len(packages)}, {pwd.getpwnam('messagebus').pw_dir}")
