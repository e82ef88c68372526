# Configures a root file system whose packages are unpacked, as dpkg would after unpacking all of them. Given to the shell as
# text: a format constant of profile 1. `var/lib/selfsame` lists the packages of two rounds, a line each: the name for
# dpkg, the package, its architecture.
admin=/var/lib/dpkg plan=/var/lib/selfsame policy=/usr/sbin/policy-rc.d

# What is installed here is started by nobody.
own=
if [ ! -e $policy ]; then
    own=$policy
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi

# What dpkg runs before it unpacks.
before() {
    while read -r name package architecture; do
        if [ -e "$admin/info/$name.preinst" ]; then
            echo "Running preinst of $name ..."
            DPKG_MAINTSCRIPT_PACKAGE=$package DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 \
                DPKG_MAINTSCRIPT_ARCH=$architecture DPKG_MAINTSCRIPT_NAME=preinst DPKG_ADMINDIR=$admin DPKG_ROOT= \
                DEBCONF_PACKAGE=$package \
                "$admin/info/$name.preinst" install </dev/null
        fi
    done <"$1"
}

before $plan/first
names=
while read -r name rest; do names="$names $name"; done <$plan/first
if [ -n "$names" ]; then
    dpkg --force-unsafe-io --configure $names
fi
before $plan/rest
dpkg --force-unsafe-io --configure --pending

wrong=$(dpkg --audit)
if [ -n "$wrong" ]; then
    echo "$wrong"
    exit 1
fi
if [ -n "$own" ]; then
    rm $own
fi
rm -r $plan
