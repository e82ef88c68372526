/* Gives a path an access control list by which group 8 may write: acl NAME PATH, with NAME as in system.posix_acl_NAME. */
#include <stdio.h>
#include <sys/xattr.h>

int main(int argc, char **argv) {
    /* Version 2, then tag, permissions and id of each entry, little endian: owner, group 8, group, mask, others. */
    static const unsigned char list[] = {
        2, 0, 0, 0,
        1, 0, 6, 0, 255, 255, 255, 255,
        4, 0, 4, 0, 255, 255, 255, 255,
        8, 0, 6, 0, 8, 0, 0, 0,
        16, 0, 6, 0, 255, 255, 255, 255,
        32, 0, 4, 0, 255, 255, 255, 255,
    };
    char name[64];
    if (argc != 3) return 2;
    snprintf(name, sizeof name, "system.posix_acl_%s", argv[1]);
    if (setxattr(argv[2], name, list, sizeof list, 0) == 0) return 0;
    perror(name);
    return 1;
}
