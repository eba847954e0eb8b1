/*
 * Loaded into the programs of a build that is audited: directories are listed backwards.
 *
 * Nobody promises an order, and file systems differ; what depends on it comes out otherwise here. Knows nothing of builds. Programs that are
 * linked statically, or ask the kernel themselves, are not reached.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct listing {
	DIR *directory;
	struct dirent **entries;
	size_t count;
	/* How many were given out. */
	size_t given;
	struct listing *next;
};

static struct listing *listings;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static struct listing **place_of(DIR *directory)
{
	struct listing **at = &listings;
	while (*at != NULL && (*at)->directory != directory)
		at = &(*at)->next;
	return at;
}

static void forget(DIR *directory)
{
	struct listing **at = place_of(directory);
	struct listing *listing = *at;
	if (listing == NULL)
		return;
	*at = listing->next;
	for (size_t i = 0; i < listing->count; i++)
		free(listing->entries[i]);
	free(listing->entries);
	free(listing);
}

/* All entries from here on; as many of them as there is memory for. */
static struct listing *read_all(DIR *directory)
{
	struct dirent *(*next_entry)(DIR *) = (struct dirent * (*)(DIR *)) real("readdir");
	struct listing *listing = calloc(1, sizeof *listing);
	if (listing == NULL || next_entry == NULL) {
		free(listing);
		return NULL;
	}
	listing->directory = directory;
	size_t room = 0;
	for (struct dirent *entry; (entry = next_entry(directory)) != NULL;) {
		if (listing->count == room) {
			room = room == 0 ? 64 : 2 * room;
			struct dirent **entries = realloc(listing->entries, room * sizeof *entries);
			if (entries == NULL)
				break;
			listing->entries = entries;
		}
		struct dirent *copy = calloc(1, sizeof *copy > entry->d_reclen ? sizeof *copy : entry->d_reclen);
		if (copy == NULL)
			break;
		memcpy(copy, entry, entry->d_reclen);
		listing->entries[listing->count++] = copy;
	}
	listing->next = listings;
	listings = listing;
	return listing;
}

struct dirent *readdir(DIR *directory)
{
	int before = errno;
	pthread_mutex_lock(&lock);
	struct listing *listing = *place_of(directory);
	if (listing == NULL)
		listing = read_all(directory);
	struct dirent *entry = NULL;
	if (listing != NULL && listing->given < listing->count)
		entry = listing->entries[listing->count - ++listing->given];
	pthread_mutex_unlock(&lock);
	errno = before; /* The end is no error. */
	return entry;
}

/* Where both are the same, which is on every 64-bit Linux. */
_Static_assert(sizeof(struct dirent) == sizeof(struct dirent64), "directories have entries of one kind");

struct dirent64 *readdir64(DIR *directory)
{
	return (struct dirent64 *)readdir(directory);
}

void rewinddir(DIR *directory)
{
	void (*rewind_it)(DIR *) = (void (*)(DIR *))real("rewinddir");
	pthread_mutex_lock(&lock);
	forget(directory);
	pthread_mutex_unlock(&lock);
	if (rewind_it != NULL)
		rewind_it(directory);
}

long telldir(DIR *directory)
{
	pthread_mutex_lock(&lock);
	struct listing *listing = *place_of(directory);
	long given = listing == NULL ? 0 : (long)listing->given;
	pthread_mutex_unlock(&lock);
	return given;
}

void seekdir(DIR *directory, long given)
{
	pthread_mutex_lock(&lock);
	struct listing *listing = *place_of(directory);
	if (listing != NULL && given >= 0 && (size_t)given <= listing->count)
		listing->given = (size_t)given;
	pthread_mutex_unlock(&lock);
}

int closedir(DIR *directory)
{
	int (*close_it)(DIR *) = (int (*)(DIR *))real("closedir");
	pthread_mutex_lock(&lock);
	forget(directory);
	pthread_mutex_unlock(&lock);
	return close_it == NULL ? -1 : close_it(directory);
}
