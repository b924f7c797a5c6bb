/* vfs.h - SQLite's default file system, made of a disk that forgets (disk.h). What it says of itself (sector
 * size, powersafe overwrite), and when it syncs the folder, is as in SQLite's own for Unix, so that SQLite
 * takes the same way as in the daemon. Locks and shared memory work between connections of this process.
 *
 * A file that is not on the disk but really exists is an empty one: the store makes its file itself. */
#ifndef POWERCUT_VFS_H
#define POWERCUT_VFS_H

#include "disk.h"

void vfs_install(struct disk *);
/* The connections there are belong to a process that has ended: they hold no locks, and are not to be used.
 */
void vfs_forget_connections(void);

#endif
