#include "gpu/cuda_build_id.h"

#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct search {
    uintptr_t inside; /* an address of the module */
    char *text;
};

/* The notes of one segment: name size, description size, type, then both, each padded to 4. */
static void read_notes(const char *at, size_t length, char *ret_text)
{
    ElfW(Nhdr) note;
    while (length >= sizeof note) {
        memcpy(&note, at, sizeof note);
        size_t name = ((size_t)note.n_namesz + 3) & ~(size_t)3, data = ((size_t)note.n_descsz + 3) & ~(size_t)3;
        if (name > length - sizeof note || data > length - sizeof note - name)
            return;
        const unsigned char *id = (const unsigned char *)at + sizeof note + name;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(at + sizeof note, "GNU", 4) == 0)
            for (size_t i = 0; i < note.n_descsz && 2 * i + 2 < SP_CUDA_BUILD_ID; i++)
                snprintf(ret_text + 2 * i, 3, "%02x", id[i]);
        at += sizeof note + name + data;
        length -= sizeof note + name + data;
    }
}

static int look(struct dl_phdr_info *info, size_t size, void *context)
{
    const struct search *search = context;
    bool ours = false;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        ours |= segment->p_type == PT_LOAD && search->inside >= start && search->inside - start < segment->p_memsz;
    }
    for (int i = 0; i < info->dlpi_phnum && ours; i++)
        if (info->dlpi_phdr[i].p_type == PT_NOTE)
            read_notes((const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr), info->dlpi_phdr[i].p_memsz,
                       search->text);
    return ours;
}

void sp_cuda_build_id(char ret_text[SP_CUDA_BUILD_ID])
{
    static const char place;
    struct search search = {(uintptr_t)&place, ret_text};
    ret_text[0] = '\0';
    dl_iterate_phdr(look, &search);
}
