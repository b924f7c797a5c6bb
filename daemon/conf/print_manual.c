/* Prints tocsin.yaml(5) at build time, from the table that checks the configuration. */
#include "conf/conf.h"

int main(void)
{
    conf_print_manual(stdout);
    return ferror(stdout) != 0;
}
