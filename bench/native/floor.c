/*
 * The least a compiler launcher can cost: a program that ends at once. Without a C library where we know how to say so.
 */
#if defined(__x86_64__)
__asm__(".globl _start\n_start: xor %edi, %edi\n mov $60, %eax\n syscall");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start: mov x0, #0\n mov x8, #93\n svc #0");
#else
int main(void) { return 0; }
#endif
