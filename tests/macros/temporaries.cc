// SPDX-License-Identifier: MIT
// What a value points at may be a temporary of C++: it lives until the call is over.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thole/test.h>
#include <thole/thole.h>

static std::string
longer(const char *text)
{
    return std::string(text) + " and so long that it is on the heap";
}

static bool
holds(const char *lines, const char *text)
{
    if (std::strstr(lines, text))
        return true;
    std::printf("%s is not in:\n%s", text, lines);
    return false;
}

int
main()
{
    setenv("THOLE_SINKS", "memory:?format=json", 1);
    thole_logger root = thole_get("macros"), child;
    if (thole_start(NULL) < 0)
        return 1;

    thole_info(root, "logged", "a", longer("first").c_str(), "b", longer("second").c_str(), "part",
               thole_str(longer("a part of it").data() + 2, 4));
    thole_child(&child, root, "name", longer("child").c_str());
    thole_bind(&child, "late", longer("bound").c_str());
    thole_info(child, "through it");
    thole_unref(&child);

    const char *lines = thole_test_lines();
    bool fine = holds(lines, "\"a\":\"first and so long that it is on the heap\"");
    fine &= holds(lines, "\"b\":\"second and so long that it is on the heap\"");
    fine &= holds(lines, "\"part\":\"part\"");
    fine &= holds(lines, "\"name\":\"child and so long that it is on the heap\"");
    fine &= holds(lines, "\"late\":\"bound and so long that it is on the heap\"");
    return thole_stop(1000) == 0 && fine ? 0 : 1;
}
