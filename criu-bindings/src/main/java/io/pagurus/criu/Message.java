package io.pagurus.criu;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnknownFieldSet;
import com.google.protobuf.UnknownFieldSet.Field;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * One protobuf message of an image file, its fields addressed by number.
 *
 * <p>CRIU's schemas only ever grow, so a few field numbers are all that is needed of them; fields
 * that are not asked for survive a rewrite untouched. Messages are immutable.
 */
public final class Message {
  private final UnknownFieldSet fields;

  private Message(UnknownFieldSet fields) {
    this.fields = fields;
  }

  /** A message without fields, to build others from. */
  public static Message empty() {
    return new Message(UnknownFieldSet.getDefaultInstance());
  }

  /**
   * @throws CriuFormatException when the bytes are no protobuf message
   */
  public static Message parse(byte[] bytes) throws CriuFormatException {
    return parse(ByteString.copyFrom(bytes));
  }

  private static Message parse(ByteString bytes) throws CriuFormatException {
    try {
      return new Message(UnknownFieldSet.parseFrom(bytes));
    } catch (InvalidProtocolBufferException malformed) {
      throw new CriuFormatException("Not a protobuf message", malformed);
    }
  }

  /** This message with a number in a field, whatever was there before. */
  public Message with(int field, long value) {
    return new Message(
        fields.toBuilder()
            .clearField(field)
            .addField(field, Field.newBuilder().addVarint(value).build())
            .build());
  }

  /** This message with another one appended to a (repeated) field. */
  public Message with(int field, Message value) {
    Field entry = Field.newBuilder().addLengthDelimited(value.fields.toByteString()).build();
    return new Message(fields.toBuilder().mergeField(field, entry).build());
  }

  /**
   * The value of an optional integer, enum or bool (0 or 1); unsigned 64 bit in two's complement.
   */
  public OptionalLong number(int field) {
    List<Long> all = fields.getField(field).getVarintList();
    return all.isEmpty() ? OptionalLong.empty() : OptionalLong.of(all.getLast());
  }

  /**
   * @throws CriuFormatException when the field is missing
   */
  public long required(int field) throws CriuFormatException {
    return number(field)
        .orElseThrow(() -> new CriuFormatException("Required field " + field + " is missing"));
  }

  /**
   * The values of a repeated integer, packed or not.
   *
   * @throws CriuFormatException when a packed list is truncated
   */
  public List<Long> numbers(int field) throws CriuFormatException {
    List<Long> numbers = new ArrayList<>(fields.getField(field).getVarintList());
    for (ByteString packed : fields.getField(field).getLengthDelimitedList()) {
      try {
        CodedInputStream in = packed.newCodedInput();
        while (!in.isAtEnd()) {
          numbers.add(in.readRawVarint64());
        }
      } catch (IOException truncated) {
        throw new CriuFormatException("Truncated list in field " + field, truncated);
      }
    }
    return numbers;
  }

  /** Whether it has anything in a field. */
  boolean has(int field) {
    return fields.hasField(field);
  }

  /**
   * The values of a repeated integer as CRIU writes it: protobuf also knows them packed, and mixed
   * in any order.
   *
   * @throws CriuFormatException when they are written in another way
   */
  List<Long> unpacked(int field) throws CriuFormatException {
    Field all = fields.getField(field);
    if (!all.getLengthDelimitedList().isEmpty()) {
      throw new CriuFormatException("Field %d is packed".formatted(field));
    }
    return all.getVarintList();
  }

  /**
   * @throws CriuFormatException unless the field is there, and once
   */
  byte[] requiredBytes(int field) throws CriuFormatException {
    List<ByteString> all = fields.getField(field).getLengthDelimitedList();
    if (all.size() != 1) {
      throw new CriuFormatException("%d values in field %d".formatted(all.size(), field));
    }
    return all.getFirst().toByteArray();
  }

  /**
   * The embedded message of a field that is not repeated. If it came twice, protobuf would merge
   * the two, and every reader in its own way.
   *
   * @throws CriuFormatException when it is malformed or comes twice
   */
  Optional<Message> single(int field) throws CriuFormatException {
    List<Message> all = messages(field);
    if (all.size() > 1) {
      throw new CriuFormatException("Field %d comes %d times".formatted(field, all.size()));
    }
    return all.stream().findFirst();
  }

  /** The text of a string field. */
  public Optional<String> text(int field) {
    List<ByteString> all = fields.getField(field).getLengthDelimitedList();
    return all.isEmpty() ? Optional.empty() : Optional.of(all.getLast().toStringUtf8());
  }

  /**
   * The embedded messages of a field.
   *
   * @throws CriuFormatException when one of them is malformed
   */
  public List<Message> messages(int field) throws CriuFormatException {
    List<Message> messages = new ArrayList<>();
    for (ByteString bytes : fields.getField(field).getLengthDelimitedList()) {
      messages.add(parse(bytes));
    }
    return messages;
  }

  /** The message on the wire. */
  public byte[] toByteArray() {
    return fields.toByteArray();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Message message && fields.equals(message.fields);
  }

  @Override
  public int hashCode() {
    return fields.hashCode();
  }

  @Override
  public String toString() {
    return fields.toString();
  }
}
