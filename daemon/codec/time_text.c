#include "codec/time_text.h"
#include <string.h>

#define DAY_MS 86400000LL
#define FIRST_MS (-62135596800000LL) /* 0001-01-01T00:00:00.000Z */
#define LAST_MS 253402300799999LL    /* 9999-12-31T23:59:59.999Z */

/* Days since 1970-01-01 and back in the Gregorian calendar, years counted from March so that a leap day is a
 * year's last; an era is 400 years = 146097 days. */
static int64_t days_of_date(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    unsigned year_of_era = (unsigned)(year - era * 400);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + (int64_t)day_of_era - 719468;
}

static void date_of_days(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
    unsigned z = (unsigned)(days + 719468); /* days since 0000-03-01; never negative for years from 1 */
    unsigned era = z / 146097, day_of_era = z % 146097;
    unsigned year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static void put_number(char *out, unsigned value, unsigned digits)
{
    while (digits--) {
        out[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void time_text(char out[TIME_TEXT], int64_t at_ms)
{
    if (at_ms < FIRST_MS)
        at_ms = FIRST_MS;
    if (at_ms > LAST_MS)
        at_ms = LAST_MS;
    int64_t days = at_ms / DAY_MS, rest = at_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    unsigned year, month, day, ms = (unsigned)rest;
    date_of_days(days, &year, &month, &day);
    memcpy(out, "YYYY-MM-DDThh:mm:ss.mmmZ", 25);
    put_number(out, year, 4);
    put_number(out + 5, month, 2);
    put_number(out + 8, day, 2);
    put_number(out + 11, ms / 3600000, 2);
    put_number(out + 14, ms / 60000 % 60, 2);
    put_number(out + 17, ms / 1000 % 60, 2);
    put_number(out + 20, ms % 1000, 3);
}

struct reader {
    const char *at, *end;
    bool bad;
};

static bool is_digit(const struct reader *r)
{
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static unsigned number(struct reader *r, unsigned digits, unsigned low, unsigned high)
{
    unsigned value = 0;
    while (digits--) {
        if (!is_digit(r)) {
            r->bad = true;
            return low;
        }
        value = value * 10 + (unsigned)(*r->at++ - '0');
    }
    if (value < low || value > high)
        r->bad = true;
    return value;
}

static char one_of(struct reader *r, const char *allowed)
{
    char c = r->at < r->end ? *r->at++ : '\0';
    if (c == '\0' || !strchr(allowed, c))
        r->bad = true;
    return c;
}

static unsigned fraction_ms(struct reader *r)
{
    unsigned value = 0, weight = 100;
    if (r->at == r->end || *r->at != '.')
        return 0;
    r->at++;
    if (!is_digit(r))
        r->bad = true;
    for (; is_digit(r); r->at++, weight /= 10)
        value += weight * (unsigned)(*r->at - '0');
    return value;
}

static int offset_minutes(struct reader *r)
{
    char sign = one_of(r, "Zz+-");
    if (sign == 'Z' || sign == 'z' || r->bad)
        return 0;
    unsigned hours = number(r, 2, 0, 23);
    one_of(r, ":");
    int minutes = (int)(hours * 60 + number(r, 2, 0, 59));
    return sign == '-' ? -minutes : minutes;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool time_of_text(const char *text, size_t size, int64_t *at_ms)
{
    struct reader r = {.at = text, .end = text + size};
    unsigned year = number(&r, 4, 0, 9999);
    one_of(&r, "-");
    unsigned month = number(&r, 2, 1, 12);
    one_of(&r, "-");
    unsigned day = number(&r, 2, 1, 31);
    one_of(&r, "Tt "); /* RFC 3339, section 5.6: lower case and a space are allowed */
    unsigned hour = number(&r, 2, 0, 23);
    one_of(&r, ":");
    unsigned minute = number(&r, 2, 0, 59);
    one_of(&r, ":");
    unsigned second = number(&r, 2, 0, 60);
    unsigned ms = fraction_ms(&r);
    int offset = offset_minutes(&r);
    if (r.bad || r.at != r.end || day > days_in(year, month))
        return false;

    int64_t minutes = days_of_date(year, month, day) * 1440 + hour * 60 + minute - offset;
    if (second == 60 && ((minutes % 1440) + 1440) % 1440 != 1439) /* leap seconds end a UTC day */
        return false;
    int64_t result = minutes * 60000 + second * 1000 + (second == 60 ? 0 : ms);
    if (result < FIRST_MS || result > LAST_MS)
        return false;
    *at_ms = result;
    return true;
}
