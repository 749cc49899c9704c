// The program bin/spacktainers of a self-contained folder, for linux on arm64: the same as x64.S.
.text
.globl _start
_start:
    mov x19, sp                     // number of arguments, arguments, 0, environment, 0, auxiliary vector
    ldr x0, [x19]
    add x20, x19, x0, lsl #3
    add x20, x20, #16               // environment
    sub sp, sp, #0x5000
    mov x24, #0                     // not 0: there is no /proc
    mov x21, sp                     // own path
    mov x0, #-100
    adr x1, self
    mov x2, x21
    mov x3, #4096
    mov x8, #78                     // readlinkat
    svc #0
    cmp x0, #0
    b.gt have
    // There is no /proc: the path that it was started by (AT_EXECFN).
    mov x24, #1
    mov x1, x20
1:  ldr x0, [x1], #8
    cbnz x0, 1b
2:  ldr x0, [x1], #8
    ldr x2, [x1], #8
    cmp x0, #31
    b.eq 3f
    cbnz x0, 2b
    b fail
3:  mov x0, #0
4:  ldrb w3, [x2, x0]
    strb w3, [x21, x0]
    cbz w3, have
    add x0, x0, #1
    cmp x0, #4096
    b.lo 4b
    b fail
have:
    cmp x0, #4096
    b.hs fail
5:  cbz x0, 6f                      // cut after the last slash
    sub x1, x0, #1
    ldrb w3, [x21, x1]
    cmp w3, #'/'
    b.eq 7f
    mov x0, x1
    b 5b
6:  mov w3, #'.'
    strb w3, [x21]
    mov w3, #'/'
    strb w3, [x21, #1]
    mov x0, #2
7:  mov x22, #0x1200
    add x22, x21, x22
    mov x1, x22
    adr x2, node
    bl join
    mov x23, #0x2400
    add x23, x21, x23
    mov x1, x23
    adr x2, main
    bl join
    cbz x24, 12f
    // The loader has to be told, too, where Node lies: one more variable, before all others.
    mov x24, #0x3600
    add x24, x21, x24
    mov x1, x24
    adr x2, origin
10: ldrb w3, [x2], #1
    cbz w3, 11f
    strb w3, [x1], #1
    b 10b
11: adr x2, libexec
    bl join
    mov x1, x20
13: ldr x3, [x1], #8
    cbnz x3, 13b
    sub x1, x1, x20                 // bytes of the environment, with its end
    add x3, x1, #24
    and x3, x3, #-16
    sub sp, sp, x3
    mov x4, sp
    str x24, [x4], #8
    mov x2, x20
14: ldr x3, [x2], #8
    str x3, [x4], #8
    cbnz x3, 14b
    mov x20, sp
12: stp x22, x23, [x19]             // in the place of the number, and of the program's name
    mov x0, x22
    mov x1, x19
    mov x2, x20
    mov x8, #221                    // execve
    svc #0
fail:
    mov x0, #2
    adr x1, message
    mov x2, #(message_end - message)
    mov x8, #64                     // write
    svc #0
    mov x0, #127
    mov x8, #93                     // exit
    svc #0
join:                               // to x1: the folder, x0 bytes of own path, and the text at x2
    mov x4, #0
8:  cmp x4, x0
    b.hs 9f
    ldrb w3, [x21, x4]
    strb w3, [x1], #1
    add x4, x4, #1
    b 8b
9:  ldrb w3, [x2], #1
    strb w3, [x1], #1
    cbnz w3, 9b
    ret
self:    .asciz "/proc/self/exe"
node:    .asciz "../libexec/node"
origin:  .asciz "LD_ORIGIN_PATH="
libexec: .asciz "../libexec"
main:    .asciz "../lib/spacktainers/dist/cli/main.js"
message: .ascii "spacktainers: the folder that this program is in is not complete\n"
message_end:
    .balign 4
