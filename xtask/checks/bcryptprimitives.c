/* Where Rust's standard library takes its random numbers on Windows, and what wine 8 lacks. */

#include <windows.h>
#include <ntsecapi.h>

#define PIECE_MAX (16u << 20)

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T size)
{
    while (size > 0) {
        ULONG piece = size < PIECE_MAX ? (ULONG)size : PIECE_MAX;
        if (!RtlGenRandom(data, piece))
            return FALSE;
        data += piece;
        size -= piece;
    }
    return TRUE;
}
