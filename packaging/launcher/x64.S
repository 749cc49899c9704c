# The program bin/spacktainers of a self-contained folder, for linux on x86-64: finds its own folder and becomes
#   FOLDER/../libexec/node FOLDER/../lib/spacktainers/dist/cli/main.js ARGUMENTS…
# It needs neither a C library nor a shell. `node scripts/refresh-launcher.mjs` assembles it.
.text
.globl _start
_start:
    mov %rsp, %rbx                  # number of arguments, arguments, 0, environment, 0, auxiliary vector
    mov (%rbx), %rax
    lea 16(%rbx,%rax,8), %r12       # environment
    sub $0x5000, %rsp
    xor %ebp, %ebp                  # not 0: there is no /proc
    mov %rsp, %r13                  # own path
    mov $89, %eax                   # readlink
    lea self(%rip), %rdi
    mov %r13, %rsi
    mov $4096, %edx
    syscall
    test %rax, %rax
    jg have
    # There is no /proc: the path that it was started by (AT_EXECFN).
    inc %ebp
    mov %r12, %rdi
1:  mov (%rdi), %rax
    add $8, %rdi
    test %rax, %rax
    jnz 1b
2:  mov (%rdi), %rax
    mov 8(%rdi), %rsi
    add $16, %rdi
    cmp $31, %rax
    je 3f
    test %rax, %rax
    jnz 2b
    jmp fail
3:  xor %eax, %eax
4:  mov (%rsi,%rax), %dl
    mov %dl, (%r13,%rax)
    test %dl, %dl
    jz have
    inc %rax
    cmp $4096, %rax
    jb 4b
    jmp fail
have:
    cmp $4096, %rax
    jae fail
5:  test %rax, %rax                 # cut after the last slash
    jz 6f
    cmpb $'/', -1(%r13,%rax)
    je 7f
    dec %rax
    jmp 5b
6:  movb $'.', (%r13)
    movb $'/', 1(%r13)
    mov $2, %eax
7:  lea 0x1200(%r13), %rdi
    mov %rdi, %r14
    lea node(%rip), %rsi
    call join
    lea 0x2400(%r13), %rdi
    mov %rdi, %r15
    lea main(%rip), %rsi
    call join
    test %ebp, %ebp
    jz 12f
    # The loader has to be told, too, where Node lies: one more variable, before all others.
    lea 0x3600(%r13), %rdi
    mov %rdi, %rbp
    lea origin(%rip), %rsi
10: mov (%rsi), %dl
    test %dl, %dl
    jz 11f
    mov %dl, (%rdi)
    inc %rdi
    inc %rsi
    jmp 10b
11: lea libexec(%rip), %rsi
    call join
    mov %r12, %rcx
13: mov (%rcx), %rdx
    add $8, %rcx
    test %rdx, %rdx
    jnz 13b
    sub %r12, %rcx                  # bytes of the environment, with its end
    sub %rcx, %rsp
    sub $24, %rsp
    and $-16, %rsp
    mov %rbp, (%rsp)
    lea 8(%rsp), %rdi
    mov %r12, %rsi
    shr $3, %rcx
    rep movsq
    mov %rsp, %r12
12: mov %r14, (%rbx)                # in the place of the number, and of the program's name
    mov %r15, 8(%rbx)
    mov %r14, %rdi
    mov %rbx, %rsi
    mov %r12, %rdx
    mov $59, %eax                   # execve
    syscall
fail:
    mov $1, %eax                    # write
    mov $2, %edi
    lea message(%rip), %rsi
    mov $(message_end - message), %edx
    syscall
    mov $60, %eax                   # exit
    mov $127, %edi
    syscall
join:                               # to %rdi: the folder, %rax bytes of own path, and the text at %rsi
    xor %ecx, %ecx
8:  cmp %rax, %rcx
    jae 9f
    mov (%r13,%rcx), %dl
    mov %dl, (%rdi)
    inc %rdi
    inc %rcx
    jmp 8b
9:  mov (%rsi), %dl
    mov %dl, (%rdi)
    inc %rdi
    inc %rsi
    test %dl, %dl
    jnz 9b
    ret
self:    .asciz "/proc/self/exe"
node:    .asciz "../libexec/node"
origin:  .asciz "LD_ORIGIN_PATH="
libexec: .asciz "../libexec"
main:    .asciz "../lib/spacktainers/dist/cli/main.js"
message: .ascii "spacktainers: the folder that this program is in is not complete\n"
message_end:
