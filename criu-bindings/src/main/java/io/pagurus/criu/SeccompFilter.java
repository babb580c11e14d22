package io.pagurus.criu;

import static java.util.Objects.requireNonNull;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * One seccomp filter of a checkpoint: a program of classic BPF (seccomp(2); {@code
 * linux/filter.h}).
 *
 * <p>Whether it denies a system call is computed for whatever arguments the call may have: only its
 * number and architecture are known, and where a jump depends on anything else both ways are taken.
 * Jumps only lead forward, so that one pass over the program is enough.
 *
 * @param program instructions of 8 bytes each
 * @param everyThread whether it is to hold for all threads of the process (TSYNC)
 */
public record SeccompFilter(ByteBuffer program, boolean everyThread) {
  private static final int INSTRUCTION_BYTES = 8;

  /** BPF_MAXINSNS. */
  private static final int MOST = 4096;

  private static final int NUMBER_AT = 0;
  private static final int ARCHITECTURE_AT = 4;

  /** {@code sizeof(struct seccomp_data)}. */
  private static final int DATA_BYTES = 64;

  /** The part of a verdict that is an action; the kernel ignores nothing of it. */
  private static final int ACTION = 0xffff0000;

  private static final int KILL_PROCESS = 0x80000000;
  private static final int KILL_THREAD = 0;
  private static final int TRAP = 0x00030000;
  private static final int ERRNO = 0x00050000;

  /**
   * @throws IllegalArgumentException when the kernel would not take a program of this length
   */
  public SeccompFilter {
    requireNonNull(program, "program is null");
    int bytes = program.remaining();
    if (bytes == 0 || bytes % INSTRUCTION_BYTES != 0 || bytes / INSTRUCTION_BYTES > MOST) {
      throw new IllegalArgumentException("A seccomp filter of %d bytes".formatted(bytes));
    }
    program = program.slice().asReadOnlyBuffer();
  }

  /**
   * Whether it keeps every call of this number from being executed, whatever its arguments; false
   * where that is not certain.
   *
   * @param architecture {@code AUDIT_ARCH_} of {@code linux/audit.h}
   */
  public boolean denies(int architecture, int number) {
    ByteBuffer code = program.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    int count = program.remaining() / INSTRUCTION_BYTES;
    Registers[] reached = new Registers[count];
    reached[0] = new Registers(Value.known(0), Value.known(0));
    for (int at = 0; at < count; at++) {
      Registers now = reached[at];
      if (now == null) {
        continue;
      }
      int operation = Short.toUnsignedInt(code.getShort(at * INSTRUCTION_BYTES));
      int ifTrue = Byte.toUnsignedInt(code.get(at * INSTRUCTION_BYTES + 2));
      int ifFalse = Byte.toUnsignedInt(code.get(at * INSTRUCTION_BYTES + 3));
      int constant = code.getInt(at * INSTRUCTION_BYTES + 4);
      switch (operation) {
        case Op.RETURN, Op.RETURN_A -> {
          Value verdict = operation == Op.RETURN ? Value.known(constant) : now.a;
          if (!verdict.isKnown || !isDenial(verdict.bits)) {
            return false;
          }
        }
        case Op.JUMP -> {
          // The kernel takes no jump that leads back or out.
          if (!reach(reached, Integer.toUnsignedLong(constant) + at + 1, now)) {
            return false;
          }
        }
        case Op.IF_EQUAL,
            Op.IF_GREATER,
            Op.IF_NOT_LESS,
            Op.IF_ANY,
            Op.IF_EQUAL_X,
            Op.IF_GREATER_X,
            Op.IF_NOT_LESS_X,
            Op.IF_ANY_X -> {
          Value other = (operation & Op.X) == 0 ? Value.known(constant) : now.x;
          boolean certain = now.a.isKnown && other.isKnown;
          boolean holds = certain && Op.holds(operation & ~Op.X, now.a.bits, other.bits);
          boolean ends = true;
          if (!certain || holds) {
            ends = reach(reached, at + 1L + ifTrue, now);
          }
          if (!certain || !holds) {
            ends &= reach(reached, at + 1L + ifFalse, now);
          }
          if (!ends) {
            return false;
          }
        }
        default -> {
          Registers next = step(operation, constant, now, architecture, number);
          if (next == null || !reach(reached, at + 1L, next)) {
            return false;
          }
        }
      }
    }
    return true;
  }

  private static boolean isDenial(int verdict) {
    return switch (verdict & ACTION) {
      case KILL_PROCESS, KILL_THREAD, TRAP, ERRNO -> true;
      default -> false;
    };
  }

  /** Returns whether there is such a place. */
  private static boolean reach(Registers[] reached, long target, Registers with) {
    if (target >= reached.length) {
      return false;
    }
    int at = (int) target;
    reached[at] = reached[at] == null ? with : reached[at].or(with);
    return true;
  }

  /** What an instruction without a jump leaves; null for one that is no instruction of a filter. */
  private static Registers step(
      int operation, int constant, Registers now, int architecture, int number) {
    return switch (operation) {
      case Op.LOAD_DATA ->
          switch (constant) {
            case NUMBER_AT -> now.withA(Value.known(number));
            case ARCHITECTURE_AT -> now.withA(Value.known(architecture));
            default -> now.withA(Value.UNKNOWN);
          };
      case Op.LOAD_LENGTH -> now.withA(Value.known(DATA_BYTES));
      case Op.LOAD_CONSTANT -> now.withA(Value.known(constant));
      case Op.LOAD_MEMORY -> now.withA(Value.UNKNOWN);
      case Op.LOADX_LENGTH -> now.withX(Value.known(DATA_BYTES));
      case Op.LOADX_CONSTANT -> now.withX(Value.known(constant));
      case Op.LOADX_MEMORY -> now.withX(Value.UNKNOWN);
      case Op.STORE, Op.STOREX -> now;
      case Op.A_TO_X -> now.withX(now.a);
      case Op.X_TO_A -> now.withA(now.x);
      case Op.NEGATE -> now.withA(now.a.isKnown ? Value.known(-now.a.bits) : Value.UNKNOWN);
      case Op.AND -> now.withA(now.a.isKnown ? Value.known(now.a.bits & constant) : Value.UNKNOWN);
      default -> Op.isArithmetic(operation) ? now.withA(Value.UNKNOWN) : null;
    };
  }

  /** What is known of a register. */
  private record Value(boolean isKnown, int bits) {
    static final Value UNKNOWN = new Value(false, 0);

    static Value known(int bits) {
      return new Value(true, bits);
    }

    Value or(Value other) {
      return equals(other) ? this : UNKNOWN;
    }
  }

  private record Registers(Value a, Value x) {
    Registers withA(Value value) {
      return new Registers(value, x);
    }

    Registers withX(Value value) {
      return new Registers(a, value);
    }

    Registers or(Registers other) {
      return new Registers(a.or(other.a), x.or(other.x));
    }
  }

  /** Codes of {@code linux/bpf_common.h} that the kernel takes in a filter. */
  private static final class Op {
    static final int LOAD_CONSTANT = 0x00;
    static final int LOAD_DATA = 0x20;
    static final int LOAD_MEMORY = 0x60;
    static final int LOAD_LENGTH = 0x80;
    static final int LOADX_CONSTANT = 0x01;
    static final int LOADX_MEMORY = 0x61;
    static final int LOADX_LENGTH = 0x81;
    static final int STORE = 0x02;
    static final int STOREX = 0x03;
    static final int ARITHMETIC = 0x04;
    static final int AND = 0x54;
    static final int NEGATE = 0x84;
    static final int JUMP = 0x05;

    /** Set: compared with X instead of the constant. */
    static final int X = 0x08;

    static final int IF_EQUAL = 0x15;
    static final int IF_GREATER = 0x25;
    static final int IF_NOT_LESS = 0x35;
    static final int IF_ANY = 0x45;
    static final int IF_EQUAL_X = IF_EQUAL | X;
    static final int IF_GREATER_X = IF_GREATER | X;
    static final int IF_NOT_LESS_X = IF_NOT_LESS | X;
    static final int IF_ANY_X = IF_ANY | X;
    static final int RETURN = 0x06;
    static final int RETURN_A = 0x16;
    static final int A_TO_X = 0x07;
    static final int X_TO_A = 0x87;

    private static final int CLASS = 0x07;

    private Op() {}

    static boolean isArithmetic(int operation) {
      return (operation & CLASS) == ARITHMETIC;
    }

    static boolean holds(int condition, int a, int b) {
      return switch (condition) {
        case IF_EQUAL -> a == b;
        case IF_GREATER -> Integer.compareUnsigned(a, b) > 0;
        case IF_NOT_LESS -> Integer.compareUnsigned(a, b) >= 0;
        default -> (a & b) != 0;
      };
    }
  }
}
