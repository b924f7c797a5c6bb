#include "journal/store.h"

void store_destroy(struct store *s)
{
    if (s)
        s->destroy(s);
}
